/** What a Wyoming client is told of us. Source: OHF-Voice/wyoming, wyoming/info.py, `AsrProgram` and `AsrModel`. */
import type { WyomingData } from './event.ts';

export type Attribution = { readonly name: string; readonly url: string };

/** The model that is loaded, as clients see it. */
export type ServedModel = {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly attribution: Attribution;
  /** Codes a client may ask for: Home Assistant offers these, and no others. */
  readonly languages: readonly string[];
};

/** The data of `info`. */
export function infoOf(model: ServedModel, harkdVersion: string): WyomingData {
  return {
    asr: [
      {
        name: 'harkd',
        description: 'speech to text on this device',
        attribution: { name: 'harkd', url: '' },
        installed: true,
        version: harkdVersion,
        models: [{ ...model, installed: true }],
        supports_transcript_streaming: true,
        // clients say when a command is over; the silence around it we find ourselves
        requires_external_vad: true,
      },
    ],
  };
}
