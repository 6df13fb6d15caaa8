import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Deferred, deferred } from '../../../daemon/deferred.ts';
import type { Recognition, Utterance } from '../../../daemon/events.ts';
import { Fault } from '../../../daemon/faults.ts';
import type { LoadedModel } from '../../../daemon/recognizer/messages.ts';
import { type PooledRecognizer, recognizerPool } from '../../../daemon/recognizer/pool.ts';

const model: LoadedModel = {
  name: 'test',
  sha256: '',
  provider: { requested: 'cpu', active: 'cpu', reason: '' },
  languages: ['en'],
  tasks: ['transcribe'],
  loadMs: 1,
};

type Asked = { readonly id: string; readonly answer: Deferred<Recognition> };

/** A recognizer that answers when the test says so. */
class Scripted {
  readonly loaded = deferred<LoadedModel>();
  readonly asked: Asked[] = [];
  closed = false;
  readonly pid: number;
  constructor(pid: number) {
    this.pid = pid;
  }
  get port(): PooledRecognizer {
    return {
      loaded: this.loaded.promise,
      pid: () => this.pid,
      transcribe: ({ id }) => {
        const answer = deferred<Recognition>();
        this.asked.push({ id, answer });
        return answer.promise;
      },
      close: async () => {
        this.closed = true;
      },
    };
  }
}

function scriptedPool(most: number) {
  const started: Scripted[] = [];
  const pool = recognizerPool(() => {
    const one = new Scripted(started.length + 1);
    started.push(one);
    return one.port;
  }, most);
  return { pool, started };
}

const segmentOf = (id: string, seconds: number): Utterance => ({
  id,
  startSample: 0,
  endSample: seconds * 16_000,
  samples: new Float32Array(seconds * 16_000),
});
const said = (text: string): Recognition => ({ text }) as Recognition;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const idsOf = (recognizer: Scripted | undefined): string[] => recognizer?.asked.map(({ id }) => id) ?? [];

const test = suite('recognizer pool');

test('one process while little waits, another when more than half a minute does', async () => {
  const { pool, started } = scriptedPool(2);
  started[0]?.loaded.resolve(model);
  assert.equal(await pool.loaded, model);
  const answers = [pool.transcribe(segmentOf('a', 14))];
  await settled();
  answers.push(pool.transcribe(segmentOf('b', 14)), pool.transcribe(segmentOf('c', 14)));
  // one is asked, 28 s wait
  assert.is(started.length, 1);
  assert.equal(idsOf(started[0]), ['a']);
  answers.push(pool.transcribe(segmentOf('d', 14)));
  assert.is(started.length, 2);
  answers.push(pool.transcribe(segmentOf('e', 28)));
  assert.is(started.length, 2, 'no more than it may');

  await settled();
  assert.equal(idsOf(started[1]), [], 'what is not loaded takes no work');
  started[1]?.loaded.resolve(model);
  await settled();
  assert.equal(idsOf(started[1]), ['b']);
  started[1]?.asked[0]?.answer.resolve(said('b'));
  await settled();
  assert.equal(idsOf(started[1]), ['b', 'c']);
  started[0]?.asked[0]?.answer.resolve(said('a'));
  await settled();
  assert.equal(idsOf(started[0]), ['a', 'd']);
  for (const recognizer of started) {
    for (const { id, answer } of recognizer.asked) answer.resolve(said(id));
  }
  await settled();
  for (const recognizer of started) for (const { id, answer } of recognizer.asked) answer.resolve(said(id));
  assert.equal(
    (await Promise.all(answers)).map(({ text }) => text),
    ['a', 'b', 'c', 'd', 'e'],
  );
  assert.equal(pool.pids(), [1, 2]);
  await pool.close();
  assert.ok(started.every(({ closed }) => closed));
});

test('a second one that cannot be loaded leaves the work to the first', async () => {
  const { pool, started } = scriptedPool(2);
  started[0]?.loaded.resolve(model);
  const answers = ['a', 'b', 'c'].map((id) => pool.transcribe(segmentOf(id, 28)));
  assert.is(started.length, 2);
  started[1]?.loaded.reject(new Fault('RECOGNIZER_CRASHED', 'no memory', ''));
  for (const id of ['a', 'b', 'c']) {
    await settled();
    const asked = started[0]?.asked.at(-1);
    assert.is(asked?.id, id);
    asked?.answer.resolve(said(id));
  }
  assert.is((await Promise.all(answers)).length, 3);
  await pool.close();
});

test('a segment that fails fails alone; a model that does not load is told', async () => {
  const { pool, started } = scriptedPool(1);
  started[0]?.loaded.resolve(model);
  const [bad, good] = [pool.transcribe(segmentOf('bad', 1)), pool.transcribe(segmentOf('good', 1))];
  await settled();
  const fault = new Fault('RECOGNIZER_TIMEOUT', 'no answer', '');
  started[0]?.asked[0]?.answer.reject(fault);
  await bad.then(
    () => assert.unreachable('it was answered'),
    (thrown) => assert.is(thrown, fault),
  );
  await settled();
  started[0]?.asked[1]?.answer.resolve(said('good'));
  assert.is((await good).text, 'good');
  await pool.close();

  const other = scriptedPool(2);
  const missing = new Fault('MODEL_MISSING', 'no model', '');
  other.started[0]?.loaded.reject(missing);
  await other.pool.loaded.then(
    () => assert.unreachable('it was loaded'),
    (thrown) => assert.is(thrown, missing),
  );
  await other.pool.close();
});

test.run();
