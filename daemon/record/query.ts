/** What somebody asks of the record, in words: of the command line or of an address. */
import { Fault } from '../faults.ts';
import type { RecordRange } from './reader.ts';

export type RecordQuery = {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit?: string | undefined;
};

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Throws `Fault` USAGE_INVALID, naming what is not understood. */
export function rangeOf({ since, until, limit }: RecordQuery, nowMs: number): RecordRange {
  return {
    sinceMs: timeOf('since', since, nowMs),
    untilMs: timeOf('until', until, nowMs),
    limit: limitOf(limit),
  };
}

/** `-1h` is an hour ago. A time without a zone is one of this machine, a day begins at midnight. */
function timeOf(name: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit = ''] = /^-(\d{1,6}) ?(s|min|m|h|d)$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * (unitsMs[unit] ?? 0);
  const timeMs = clockTimeMs(text);
  if (timeMs !== undefined) return timeMs;
  throw new Fault(
    'USAGE_INVALID',
    `${name} is ${JSON.stringify(text.slice(0, 40))}, expected a time`,
    'such as -90s, -15min, -1h, -7d, 2026-11-22, "2026-11-22 18:30" or 2026-11-22T18:30:00Z',
  );
}

function clockTimeMs(text: string): number | undefined {
  // in an address, + stands for a space
  const [, day, time, zone = ''] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+ -]\d\d:\d\d)?)?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  // ECMA-262 §21.4.1.32: with a time and without a zone it is local time
  const timeMs = Date.parse(`${day}T${time ?? '00:00'}${zone.replace(' ', '+')}`);
  // Date.parse takes the 31st of February for a day in March
  const exists = new Date(`${day}T00:00Z`);
  const isDay = !Number.isNaN(exists.getTime()) && exists.toISOString().startsWith(day);
  return Number.isNaN(timeMs) || !isDay ? undefined : timeMs;
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Fault(
    'USAGE_INVALID',
    `limit is ${JSON.stringify(text.slice(0, 40))}, expected a number of transcripts from 1`,
    'leave it out for all of them',
  );
}
