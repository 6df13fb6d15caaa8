import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hermesFor } from '../../../../daemon/sinks/mqtt/hermes.ts';
import { transcriptOf } from '../../../fixtures/daemon-events.ts';
import { randomFrom } from '../../../random.ts';

const test = suite('daemon/sinks/mqtt/hermes');

function rig(siteId = 'kitchen') {
  const toggles: boolean[] = [];
  const ignored: string[] = [];
  const hermes = hermesFor({
    siteId,
    onToggle: (deaf) => toggles.push(deaf),
    onIgnored: ({ reason }) => ignored.push(reason),
  });
  const send = (topic: string, payload: string | Buffer, retained = false) =>
    hermes.heard({ topic, payload: Buffer.from(payload), retained, correlationData: undefined });
  const toggle = (word: 'toggleOn' | 'toggleOff', payload: object) =>
    send(`hermes/asr/${word}`, JSON.stringify(payload));
  return { hermes, toggles, ignored, send, toggle };
}

test('a transcript has the fields of AsrTextCaptured, and no other', () => {
  const { topic, payload, qos, retain } = rig().hermes.captured(transcriptOf(1, 'turn on the lamp'));
  assert.equal([topic, qos, retain], ['hermes/asr/textCaptured', 1, false]);
  assert.equal(JSON.parse(payload), {
    text: 'turn on the lamp',
    likelihood: 0.91,
    seconds: 0.42,
    siteId: 'kitchen',
    sessionId: null,
    wakewordId: null,
    asrTokens: null,
    lang: 'en',
  });
});

test('a fault has the fields of AsrError', () => {
  const { topic, payload } = rig().hermes.failed({ code: 'RECOGNIZER_CRASHED', message: 'it ended' });
  assert.is(topic, 'hermes/error/asr');
  assert.equal(JSON.parse(payload), {
    error: 'it ended',
    context: 'RECOGNIZER_CRASHED',
    siteId: 'kitchen',
    sessionId: null,
  });
});

test('it is deaf until every reason has been taken back', () => {
  const { toggle, toggles } = rig();
  toggle('toggleOff', { siteId: 'kitchen', reason: 'dialogueSession' });
  toggle('toggleOff', { siteId: 'kitchen', reason: 'ttsSay' });
  toggle('toggleOn', { siteId: 'kitchen', reason: 'dialogueSession' });
  assert.equal(toggles, [true, true, true]);
  toggle('toggleOn', { siteId: 'kitchen', reason: 'ttsSay' });
  assert.is(toggles.at(-1), false);
});

test('on without a reason is on, whatever the reasons were', () => {
  for (const plain of [{ siteId: 'kitchen' }, { siteId: 'kitchen', reason: '' }]) {
    const { toggle, toggles } = rig();
    toggle('toggleOff', { siteId: 'kitchen', reason: 'playAudio' });
    toggle('toggleOff', plain);
    toggle('toggleOn', { siteId: 'kitchen', reason: 'playAudio' });
    assert.equal(toggles, [true, true, true]);
    toggle('toggleOn', plain);
    assert.is(toggles.at(-1), false);
  }
});

test('a new link takes back what nobody may take back any more', () => {
  const { hermes, toggle, toggles } = rig();
  hermes.linkChanged();
  assert.equal(toggles, [], 'there was nothing');
  toggle('toggleOff', { siteId: 'kitchen', reason: 'ttsSay' });
  hermes.linkChanged();
  hermes.linkChanged();
  assert.equal(toggles, [true, false]);
});

test('other sites are not ours, and a site that is left out is called default', () => {
  const kitchen = rig();
  assert.ok(kitchen.toggle('toggleOff', { siteId: 'attic' }));
  assert.ok(kitchen.toggle('toggleOff', {}));
  assert.equal([kitchen.toggles, kitchen.ignored], [[], []]);
  const byDefault = rig('default');
  byDefault.toggle('toggleOff', {});
  assert.equal(byDefault.toggles, [true]);
});

test('retained toggles and what is none are ignored, with a reason', () => {
  const { send, toggles, ignored } = rig();
  assert.ok(send('hermes/asr/toggleOff', '{"siteId":"kitchen"}', true));
  for (const payload of ['', 'kitchen', 'null', '[]', '{"siteId":1}', `{"siteId":"${'k'.repeat(5000)}"}`]) {
    assert.ok(send('hermes/asr/toggleOff', payload), payload.slice(0, 20));
  }
  assert.equal(toggles, []);
  assert.is(ignored.length, 7);
  assert.not(send('hermes/asr/startListening', '{"siteId":"kitchen"}'), 'no topic of ours');
});

test('no payload makes it throw, and no reason makes it grow', () => {
  const { send, toggles } = rig();
  const random = randomFrom(7);
  const pieces = ['"', '{', '}', 'siteId', ':', 'kitchen', 'reason', '\0', 'é', '\u{1f389}', ',', '['];
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: 12 }, () => pieces[Math.floor(random() * pieces.length)]).join('');
    send(random() < 0.5 ? 'hermes/asr/toggleOff' : 'hermes/asr/toggleOn', text);
    send('hermes/asr/toggleOff', JSON.stringify({ siteId: 'kitchen', reason: `reason ${i}` }));
  }
  send('hermes/asr/toggleOn', '{"siteId":"kitchen","reason":"never heard of"}');
  assert.is(toggles.at(-1), false, 'unknown reasons are one and the same');
});

test.run();
