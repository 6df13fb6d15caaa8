/** In which order a recognizer answers that several ask, with a recognizer that answers when the test says so. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Deferred, deferred } from '../../../daemon/deferred.ts';
import type { Recognition, Recognizer, Utterance } from '../../../daemon/events.ts';
import { shareRecognizer } from '../../../daemon/recognizer/shared.ts';

type Asked = {
  readonly id: string;
  readonly urgency: string | undefined;
  readonly answer: Deferred<Recognition>;
};

/** Answers in the order in which it is asked, one at a time, as the real one does. */
function scripted() {
  const asked: Asked[] = [];
  const recognizer: Recognizer = {
    transcribe({ id }, urgency) {
      const answer = deferred<Recognition>();
      asked.push({ id, urgency, answer });
      return answer.promise;
    },
    close: async () => undefined,
  };
  const order = () => asked.map(({ id }) => id).join(' ');
  const answer = async (id: string): Promise<void> => {
    asked.find((one) => one.id === id)?.answer.resolve({ text: id } as Recognition);
    await settle();
  };
  return { ...shareRecognizer(recognizer), asked, order, answer };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const utterance = (id: string): Utterance => ({
  id,
  startSample: 0,
  endSample: 1,
  samples: new Float32Array(1),
});
const { signal: never } = new AbortController();

const test = suite('recognizer/shared');

test('guests ask one at a time, so that a final waits for one of them at most', async () => {
  const { own, guest, order, answer } = scripted();
  const texts: string[] = [];
  for (const id of ['g1', 'g2', 'g3']) void guest(utterance(id), never).then(({ text }) => texts.push(text));
  await settle();
  assert.is(order(), 'g1');
  const final = own.transcribe(utterance('f1'));
  await settle();
  assert.is(order(), 'g1 f1', 'behind one guest, before the others');
  await answer('g1');
  assert.is(order(), 'g1 f1 g2');
  const second = own.transcribe(utterance('f2'));
  await answer('f1');
  await answer('g2');
  assert.is(order(), 'g1 f1 g2 f2 g3', 'in turn');
  await answer('f2');
  await answer('g3');
  assert.equal(texts, ['g1', 'g2', 'g3']);
  assert.is((await final).text, 'f1');
  assert.is((await second).text, 'f2');
});

test('there is no work ahead while a guest is here', async () => {
  const { own, guest, order, asked, answer } = scripted();
  void own.transcribe(utterance('a1'), 'ahead');
  await settle();
  assert.equal(
    asked.map(({ urgency }) => urgency),
    ['ahead'],
  );
  const visit = guest(utterance('g1'), never);
  const refused = await own.transcribe(utterance('a2'), 'ahead').catch((error: Error) => error.message);
  assert.is(refused, 'the recognizer works for a guest');
  await answer('a1');
  await answer('g1');
  await visit;
  void own.transcribe(utterance('a3'), 'ahead');
  await settle();
  assert.is(order(), 'a1 g1 a3');
});

test('a guest who is gone loses its turn, and one who fails costs the next nothing', async () => {
  const { guest, order, asked, answer } = scripted();
  const leaving = new AbortController();
  const first = guest(utterance('g1'), never).catch((error: Error) => error.message);
  const gone = guest(utterance('g2'), leaving.signal).catch((error: Error) => error.name);
  const third = guest(utterance('g3'), never);
  leaving.abort();
  await settle();
  asked[0]?.answer.reject(new Error('a bad sound'));
  assert.is(await first, 'a bad sound');
  assert.is(await gone, 'AbortError');
  await settle();
  assert.is(order(), 'g1 g3');
  await answer('g3');
  assert.is((await third).text, 'g3');
});

test.run();
