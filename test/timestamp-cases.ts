/** The golden cases of Whisper's rules of timestamps, as openai/whisper decides them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export type TimestampCases = {
  readonly endOfText: number;
  readonly noTimestamps: number;
  readonly firstTimestamp: number;
  readonly suppressed: readonly number[];
  readonly cases: readonly {
    readonly eighths: readonly number[];
    readonly sampled: readonly number[];
    readonly maxInitial: number;
    readonly last: number;
    readonly allowed: readonly number[];
    readonly best: number;
    readonly logProb: number;
  }[];
};

export function readTimestampCases(): TimestampCases {
  const file = path.join(import.meta.dirname, '../../test/golden/timestamp-rules/cases.json');
  return JSON.parse(readFileSync(file, 'utf8')) as TimestampCases;
}
