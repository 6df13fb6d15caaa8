/**
 * What is said between a client and us, as in the protocol's "Event Flow": a client asks what there is (`describe`),
 * or sends a language (`transcribe`) and sound (`audio-start`, `audio-chunk` …, `audio-stop`) and is sent text.
 *
 * The sound is heard while it comes, cut into segments as a file is (transcription.ts), and nothing is read of the
 * client while a segment of its is being recognised: it may send as fast as it likes and we hold seconds of it.
 */
import { resampled } from '../capture/resample.ts';
import type { DetectSpeech, Recognition, Utterance } from '../events.ts';
import { sampleRateHz } from '../events.ts';
import { Fault } from '../faults.ts';
import type { Segmenter } from '../segmenter.ts';
import { transcribeSound } from '../transcription.ts';
import { type AudioFormat, audioFormatOf, isSameFormat, monoDecoder } from './audio.ts';
import { requestInvalid, shown, type WyomingData, type WyomingEvent } from './event.ts';
import { infoOf, type ServedModel } from './info.ts';

/** The other end of a connection. */
export type Client = {
  /** The next event. Rejects with `ClientGone`, or with a `Fault` for what is no event or does not come. */
  readonly next: () => Promise<WyomingEvent>;
  /** Never waits: `next` does, until what was sent is on its way. */
  readonly send: (type: string, data?: WyomingData) => void;
  /** Aborts when the client is gone or is sent away. */
  readonly signal: AbortSignal;
};

/** Nobody is there any more, in the middle of something or not: there is nobody to tell. */
export class ClientGone extends Error {}

/** What the daemon does for clients. */
export type Services = {
  readonly harkdVersion: string;
  /** Resolves when a model is loaded. */
  readonly model: () => Promise<ServedModel>;
  readonly recognize: (utterance: Utterance, signal: AbortSignal) => Promise<Recognition>;
  /** Lends a detector that hears nothing else until `work` is done. */
  readonly withDetector: <T>(work: (detectSpeech: DetectSpeech) => Promise<T>) => Promise<T>;
  readonly createSegmenter: () => Segmenter;
  /** The longest sound of one request. */
  readonly mostAudioS: number;
};

/** 256 ms: a pause that ends a segment is noticed about as early as with a microphone. */
const framesAtOnce = 8;

/** A payload is made into samples in parts, half a second as a rule: as samples at 16 kHz it may be 16 times as long. */
const pieceBytes = 16 * 1024;

/** Lets everything else have a turn. Work of a client that is there already would hold up hearing otherwise. */
export const otherThings = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Request = { readonly language: string | undefined; readonly model: string | undefined };

const anything: Request = { language: undefined, model: undefined };

/** Serves one client until it goes. Rejects with `ClientGone`, always in the end, or with what was wrong. */
export async function converse(client: Client, services: Services): Promise<never> {
  let request = anything;
  for (;;) {
    const event = await client.next();
    switch (event.type) {
      case 'transcribe':
        request = requestOf(event.data);
        break;
      case 'audio-start':
      case 'audio-chunk':
      case 'audio-stop':
        await transcribe(event, request, client, services);
        request = anything;
        break;
      default:
        await answerAside(event, client, services);
    }
  }
}

/** Answers what may be asked at any time. What is not known is passed over, as the protocol wants it. */
async function answerAside({ type, data }: WyomingEvent, client: Client, services: Services): Promise<void> {
  if (type === 'describe') client.send('info', infoOf(await services.model(), services.harkdVersion));
  if (type === 'ping') client.send('pong', { text: data['text'] ?? null });
}

function requestOf({ language, name }: WyomingData): Request {
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return { language: text(language), model: text(name) };
}

/**
 * Hears the sound that begins with `first` and sends its text: in parts as they are known, and then the whole. Sound in
 * which nobody speaks has an empty text.
 */
async function transcribe(
  first: WyomingEvent,
  request: Request,
  client: Client,
  services: Services,
): Promise<void> {
  const model = await services.model();
  const asked = languageOf(request, model);
  let text = '';
  let heardLanguage: string | undefined;
  const take = (recognition: Recognition): void => {
    if (recognition.text === '') return;
    const part = text === '' ? recognition.text : ` ${recognition.text}`;
    if (text === '') {
      heardLanguage = recognition.language;
      client.send('transcript-start', { language: heardLanguage });
    }
    text += part;
    client.send('transcript-chunk', { text: part });
  };
  if (first.type !== 'audio-stop') {
    const format = audioFormatOf(first.data);
    // what listens for the end of this sound must not do so until the client leaves
    const over = new AbortController();
    const signal = AbortSignal.any([client.signal, over.signal]);
    const hearing = services.withDetector((detectSpeech) =>
      transcribeSound<Recognition>({
        chunks: resampled(soundOf(first, format, client, services), format.sampleRateHz, sampleRateHz),
        detectSpeech,
        framesAtOnce,
        segmenter: services.createSegmenter(),
        recognize: (segment) =>
          services.recognize(asked === undefined ? segment : { ...segment, language: asked }, signal),
        take: (_, recognition) => take(recognition),
        onHeard: () => undefined,
        aheadS: 0,
        signal,
      }),
    );
    await hearing.finally(() => over.abort());
  }
  if (client.signal.aborted) throw new ClientGone();
  const language = heardLanguage ?? (asked === 'auto' ? undefined : asked);
  const languageIfKnown = language === undefined ? {} : { language };
  if (text === '') client.send('transcript-start', languageIfKnown);
  // for those who do not read parts, which is everybody today: the protocol wants it in any case
  client.send('transcript', { text, ...languageIfKnown });
  client.send('transcript-stop');
}

/** Mono sound at the rate of `format`, from `first` to `audio-stop`. */
async function* soundOf(
  first: WyomingEvent,
  format: AudioFormat,
  client: Client,
  services: Services,
): AsyncGenerator<Float32Array> {
  const decode = monoDecoder(format);
  let leftSamples = services.mostAudioS * format.sampleRateHz;
  for (let event = first; event.type !== 'audio-stop'; event = await client.next()) {
    if (event.type !== 'audio-start' && event.type !== 'audio-chunk') {
      await answerAside(event, client, services);
      continue;
    }
    if (!isSameFormat(format, audioFormatOf(event.data))) {
      throw requestInvalid('sound keeps its rate, width and channels until it ends, got others');
    }
    if (event.type === 'audio-start') continue;
    for (let at = 0; at < event.payload.length; at += pieceBytes) {
      const samples = decode(event.payload.subarray(at, at + pieceBytes));
      leftSamples -= samples.length;
      if (leftSamples < 0) {
        throw requestInvalid(`sound of at most ${services.mostAudioS} s is taken at a time, got more`);
      }
      await otherThings();
      yield samples;
    }
  }
}

/** The code to recognise with; undefined where the client leaves it to us. `en-GB` is `en` where only that is known. */
function languageOf(request: Request, model: ServedModel): string | undefined {
  if (request.model !== undefined && request.model !== model.name) {
    const message = `${shown(request.model)} was asked for, the model here is ${model.name}`;
    throw new Fault('MODEL_MISSING', message, 'ask for no model, or for one that `info` names');
  }
  if (request.language === undefined || request.language === 'auto') return request.language;
  const code = request.language.toLowerCase();
  const found = [code, code.split(/[-_]/)[0]].find((known) => model.languages.includes(known ?? ''));
  if (found !== undefined) return found;
  const message = `${shown(request.language)} was asked for, ${model.name} knows ${model.languages.join(', ')}`;
  throw new Fault('MODEL_UNSUPPORTED', message, 'ask for one that `info` names, or take another model');
}
