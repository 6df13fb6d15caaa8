import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Transcript } from '../../../daemon/events.ts';
import { recordSink } from '../../../daemon/sinks/record.ts';
import { everyEvent, transcript } from '../../every-event.ts';

const test = suite('record sink');

test('keeps finals and nothing else', async () => {
  const kept: Transcript[] = [];
  const sink = recordSink({ append: (final) => kept.push(final), close: async () => undefined });
  for (const event of Object.values(everyEvent)) sink.publish(event);
  assert.equal(kept, [transcript]);
  assert.equal(await sink.close(1000), { undelivered: 0 });
});

test('does not wait for a disk that hangs', async () => {
  const sink = recordSink({ append: () => undefined, close: () => new Promise(() => undefined) });
  assert.equal(await sink.close(5), { undelivered: 0 });
});

test.run();
