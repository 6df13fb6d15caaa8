import { parseListenAddress } from '../address.ts';
import type { Config } from '../config/config.ts';
import type { Sink } from '../events.ts';
import type { Log } from '../log.ts';
import type { ReadRecord } from '../sinks/http/record-answer.ts';
import type { HttpSinkOptions } from '../sinks/http.ts';
import { recordFolderOf } from './keep-record.ts';

export type WebPageOptions = Pick<HttpSinkOptions, 'version' | 'status' | 'health' | 'onMute'> & {
  readonly log: Log;
};

/**
 * The web page of a running daemon, or undefined where `http.listen` is off. Throws `Fault` as `httpSink` does.
 * Its code is loaded only where it is wanted: it takes some 3 MB that a small board may need otherwise.
 */
export async function openWebPage(
  config: Config,
  { log, ...daemon }: WebPageOptions,
): Promise<Sink | undefined> {
  const address = parseListenAddress(config.http.listen);
  if (address === undefined) return undefined;
  const { httpSink } = await import('../sinks/http.ts');
  const sink = await httpSink({
    ...address,
    ...daemon,
    token: config.http.token,
    readRecord: config.record.enabled ? await recordReader(config, log) : undefined,
    onFailure: (error) => log('error', `web page: ${error instanceof Error ? error.stack : error}`),
  });
  log('info', `web page on ${sink.url}`, { url: sink.url });
  return sink;
}

async function recordReader(config: Config, log: Log): Promise<ReadRecord> {
  const { rangeOf } = await import('../record/query.ts');
  const { recordText } = await import('../record/text.ts');
  const reader = {
    directory: recordFolderOf(config),
    onDamage: ({ file, lines }: { readonly file: string; readonly lines: number }) =>
      log('warn', `${lines} lines of ${file} in the record cannot be read`),
  };
  return (format, query) => recordText(reader, format, rangeOf(query, Date.now()));
}
