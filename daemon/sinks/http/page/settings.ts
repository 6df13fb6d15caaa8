/** What the address of a page may ask for: `?lines=2&size=6vh&theme=dark&hold=8s`, and the token. Free of the DOM. */

export type Theme = 'auto' | 'dark' | 'light' | 'transparent';

export type CaptionSettings = {
  /** Lines of text at once. */
  readonly lines: number;
  /** A CSS length; undefined is the style sheet's own. */
  readonly size: string | undefined;
  readonly theme: Theme;
  /** How long a final stays. Infinity: until others take its place. */
  readonly holdMs: number;
};

const themes: readonly string[] = ['auto', 'dark', 'light', 'transparent'] satisfies readonly Theme[];

/** Reads the settings; what cannot be understood is as if it were left out, for a page on a wall must show something. */
export function captionSettings(query: URLSearchParams): CaptionSettings {
  const lines = Number(query.get('lines') ?? Number.NaN);
  const size = query.get('size') ?? '';
  const theme = query.get('theme') ?? '';
  return {
    lines: Number.isInteger(lines) && lines >= 1 && lines <= 20 ? lines : 4,
    size: /^\d{1,4}(\.\d{1,3})?(px|pt|rem|vh|vw|vmin|vmax)$/.test(size) ? size : undefined,
    theme: themes.includes(theme) ? (theme as Theme) : 'auto',
    holdMs: durationMs(query.get('hold') ?? '') ?? 8000,
  };
}

/** `8s`, `8`, `800ms`; 0 is for ever. */
function durationMs(text: string): number | undefined {
  const match = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|min)?$/.exec(text);
  if (match === null) return undefined;
  const [, digits, unit = 's'] = match;
  const factor = unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000;
  const ms = Number(digits) * factor;
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}

/** The token from the address of the page: behind `#` it is not even sent to the server with the page. */
export function tokenOf({ search, hash }: { readonly search: string; readonly hash: string }): string {
  return new URLSearchParams(hash.slice(1)).get('token') ?? new URLSearchParams(search).get('token') ?? '';
}
