import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault } from '../../faults.ts';
import { answer, commonHeaders, refuse } from './answers.ts';

export type RecordFormat = 'json' | 'srt' | 'vtt';

/**
 * The kept record as parts of text. Throws `Fault` USAGE_INVALID for a query that is not understood; what it answers
 * throws RECORD_UNREADABLE.
 */
export type ReadRecord = (
  format: RecordFormat,
  query: { readonly since?: string; readonly until?: string; readonly limit?: string },
) => AsyncGenerator<string>;

export type RecordAnswer = (
  response: ServerResponse,
  format: RecordFormat,
  query: URLSearchParams,
) => Promise<void>;

const types: Readonly<Record<RecordFormat, string>> = {
  json: 'application/json',
  srt: 'application/x-subrip; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
};

/** Read at the same time: each takes a file handle, and time of the processor that hears. */
const maxReaders = 4;
/**
 * Answers with the record, part by part as fast as the client takes it. `read` is undefined where nothing is kept.
 * Who takes nothing for `stalledAfterMs` gives its place back.
 */
export function recordAnswer(read: ReadRecord | undefined, stalledAfterMs = 30_000): RecordAnswer {
  let readers = 0;
  return async (response, format, query) => {
    if (read === undefined) {
      return refuse(response, 404, 'nothing is kept: the record is off (record.enabled)');
    }
    if (readers >= maxReaders) {
      return refuse(response, 503, 'the record is being read by too many already', { 'Retry-After': '5' });
    }
    readers += 1;
    let parts: AsyncGenerator<string> | undefined;
    try {
      parts = read(format, wordsOf(query));
      // before anything is promised: it may be that nothing can be read
      const first = await parts.next();
      if (response.req.method === 'HEAD') return answer(response, 200, types[format], '');
      response.writeHead(200, { ...commonHeaders, 'Content-Type': types[format] });
      response.setTimeout(stalledAfterMs, () => response.destroy());
      await pipeline(Readable.from(startingWith(first, parts)), response);
    } catch (error) {
      // a client that went away, or took nothing for too long, is nothing to talk about
      if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
      if (!(error instanceof Fault) || response.headersSent) throw error;
      refuse(response, error.code === 'USAGE_INVALID' ? 400 : 503, `${error.message}; ${error.hint}`);
    } finally {
      readers -= 1;
      await parts?.return(undefined);
    }
  };
}

function wordsOf(query: URLSearchParams): Parameters<ReadRecord>[1] {
  return Object.fromEntries(
    ['since', 'until', 'limit'].flatMap((name) => {
      const value = query.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}

async function* startingWith<T>(first: IteratorResult<T>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
