/** What a file is by its first bytes: names lie, magic numbers seldom do. */

export type Container =
  | { readonly kind: 'wav' }
  /** Sound, but not WAV: ffmpeg's to read. */
  | { readonly kind: 'foreign'; readonly name: string }
  | { readonly kind: 'text'; readonly beginning: string }
  | { readonly kind: 'unknown'; readonly beginning: string }
  | { readonly kind: 'empty' };

/** Bytes that `identify` looks at. */
export const identifyBytes = 64;

const magicNumbers: readonly { readonly at: number; readonly magic: string; readonly name: string }[] = [
  { at: 0, magic: 'ID3', name: 'MP3' },
  { at: 0, magic: 'fLaC', name: 'FLAC' },
  { at: 0, magic: 'OggS', name: 'Ogg (Vorbis or Opus)' },
  { at: 4, magic: 'ftyp', name: 'MP4 (M4A, AAC)' },
  { at: 0, magic: '\x1a\x45\xdf\xa3', name: 'Matroska or WebM' },
  { at: 0, magic: 'FORM', name: 'AIFF' },
  { at: 0, magic: 'caff', name: 'Core Audio' },
  { at: 0, magic: '.snd', name: 'Sun audio (.au)' },
  { at: 0, magic: '#!AMR', name: 'AMR' },
  { at: 0, magic: 'wvpk', name: 'WavPack' },
  { at: 0, magic: 'MAC ', name: "Monkey's Audio" },
  { at: 0, magic: '\x30\x26\xb2\x75', name: 'Windows Media (ASF)' },
  { at: 0, magic: 'riff\x2e\x91\xcf\x11', name: 'Wave64' },
  { at: 0, magic: 'RIFX', name: 'big-endian WAV (RIFX)' },
];

/** `head`: the first `identifyBytes` bytes, fewer only if the file is shorter. */
export function identify(head: Buffer): Container {
  if (head.length === 0) return { kind: 'empty' };
  const bytes = head.toString('latin1');
  if (['RIFF', 'RF64', 'BW64'].includes(bytes.slice(0, 4))) {
    const form = bytes.slice(8, 12);
    if (form === 'WAVE' || head.length < 12) return { kind: 'wav' };
    return { kind: 'foreign', name: `RIFF ${JSON.stringify(form)}` };
  }
  const known = magicNumbers.find(({ at, magic }) => bytes.startsWith(magic, at));
  if (known !== undefined) return { kind: 'foreign', name: known.name };
  // MPEG audio without a tag, and AAC in ADTS: eleven set bits of frame synchronisation
  const second = head[1] ?? 0;
  if (head[0] === 0xff && (second & 0xe0) === 0xe0 && (second & 0x18) !== 0x08) {
    return { kind: 'foreign', name: 'MPEG audio (MP3, AAC)' };
  }
  if (isText(head)) return { kind: 'text', beginning: JSON.stringify(head.toString('utf8').slice(0, 24)) };
  return { kind: 'unknown', beginning: head.toString('hex', 0, 8).replaceAll(/(..)(?=.)/g, '$1 ') };
}

/** No control characters but those of text, and no bytes that UTF-8 forbids; the last character may be cut. */
function isText(head: Buffer): boolean {
  const isControl = (byte: number): boolean =>
    byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x1b;
  return !head.some(isControl) && !head.toString('utf8').slice(0, -4).includes('\ufffd');
}
