/**
 * Stretches of a program between marks that the counting plugin (count.c) sees. The program says what each stretch was
 * and how much it did, the plugin how many instructions that took; here both come together.
 */

/** One run of something: `amount` of `unit`, such as 3 `second` of sound or 7 `token`. */
export type Stretch = { readonly what: string; readonly unit: string; readonly amount: number };

/** Instructions of the thread that made the marks. */
export type Instructions = {
  readonly all: number;
  /** Those in the code of the library that runs the graphs: the same every time, to a few in a million. */
  readonly inLibrary: number;
};
export type CountedStretch = Stretch & Instructions;

/** What count.c takes for a mark. Nothing here creates files, so that nobody minds the mask. */
const markMask = 0o027;

/** Keeps the stretches of a program in the order in which they end; they follow one another, and do not nest. */
export class Marks {
  readonly stretches: Stretch[] = [];

  /** Marks before and after `run`; `did` says what it was, once it is known. */
  async around<T>(run: () => T | Promise<T>, did: (result: T) => Stretch): Promise<T> {
    process.umask(markMask);
    const result = await run();
    process.umask(markMask);
    this.stretches.push(did(result));
    return result;
  }
}

/** From the file that the plugin writes: at each mark a line of two numbers. Throws for anything else. */
export function readMarks(text: string): Instructions[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [, all, inLibrary] = /^(\d+) (\d+)$/.exec(line) ?? [];
    if (all === undefined || inLibrary === undefined) {
      throw new Error(`expected two numbers of instructions, got ${JSON.stringify(line)}`);
    }
    return { all: Number(all), inLibrary: Number(inLibrary) };
  });
}

/** Gives each stretch the instructions between its two marks. Throws if there is not a pair for each. */
export function joinMarks(stretches: readonly Stretch[], marks: readonly Instructions[]): CountedStretch[] {
  if (marks.length !== 2 * stretches.length) {
    throw new Error(
      `expected ${2 * stretches.length} marks for ${stretches.length} stretches, got ${marks.length}`,
    );
  }
  return stretches.map((stretch, i) => {
    const [before, after] = marks.slice(2 * i) as [Instructions, Instructions];
    const all = after.all - before.all;
    if (!(all > 0)) throw new Error(`${stretch.what} took ${all} instructions`);
    return { ...stretch, all, inLibrary: after.inLibrary - before.inLibrary };
  });
}

/** Instructions for one of its unit. */
export type Rate = Instructions & { readonly unit: string; readonly runs: number };
/** By `what` of the stretches. */
export type Rates = Readonly<Record<string, Rate>>;

/**
 * By what was counted: the least of all runs, since in the others V8 collected or compiled. Least in the library and
 * least in all need not be of the same run.
 */
export function ratesOf(counted: readonly CountedStretch[]): Rates {
  const rates: Record<string, Rate> = {};
  for (const { what, unit, amount, all, inLibrary } of counted) {
    const known = rates[what];
    rates[what] = {
      unit,
      runs: (known?.runs ?? 0) + 1,
      all: Math.min(known?.all ?? Number.POSITIVE_INFINITY, all / amount),
      inLibrary: Math.min(known?.inLibrary ?? Number.POSITIVE_INFINITY, inLibrary / amount),
    };
  }
  return rates;
}
