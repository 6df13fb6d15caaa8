/** The whole daemon on the embedded model: real processes, real broker, real arecord; what it hears is what was said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listenTo, mosquittoMissing, startMosquitto } from '../fixtures/broker.ts';
import { harkd, startDaemon } from '../fixtures/daemon.ts';
import { base, finalsOf, household, partialsOf, sentencesOf, uniqueTexts } from '../fixtures/demo.ts';
import { s16Of, wavOf } from '../fixtures/wav.ts';
import { randomFrom } from '../random.ts';
import { announceSkip } from '../skip.ts';

const spoken = sentencesOf('household.wav').map(({ text }) => text);

const daemon = suite('daemon');

if (mosquittoMissing === undefined) {
  daemon('a recording becomes transcripts on the broker, in order, and the daemon ends with 0', async () => {
    const broker = await startMosquitto();
    const listener = await listenTo(broker.url, `${base}/#`);
    const run = startDaemon([
      '--source',
      `file:${household}`,
      '--pace',
      'fast',
      '--once',
      '--broker',
      broker.url,
    ]);
    assert.is(await run.exited, 0, JSON.stringify(run.log));
    const finals = finalsOf(listener);
    assert.equal(
      finals.map(({ text }) => text),
      spoken,
    );
    assert.equal(
      finals.map(({ seq }) => seq),
      spoken.map((_, index) => index + 1),
    );
    assert.equal(
      listener.on(`${base}/transcript/text`).map(({ text }) => text),
      spoken,
    );
    assert.is(listener.on(`${base}/speech`).filter(({ text }) => text === 'ON').length, spoken.length);
    assert.is(listener.on(`${base}/status`).at(-1)?.text, 'offline', 'a clean stop says so');
    const health = JSON.parse(listener.on(`${base}/health`).at(-1)?.text ?? '{}') as Record<string, unknown>;
    assert.is((health['recognizer'] as { provider: string }).provider, 'cpu');
    const info = JSON.parse(listener.on(`${base}/info`).at(-1)?.text ?? '{}') as {
      model: { sha256: string };
    };
    assert.match(info.model.sha256, /^[0-9a-f]{64}$/);
    listener.close();
    await broker.stop();
  });

  daemon('a recognizer killed in mid-run and a broker killed in mid-run lose no final', async () => {
    const broker = await startMosquitto();
    let listener = await listenTo(broker.url, `${base}/#`);
    const run = startDaemon(['--source', `file:${household}`, '--once', '--broker', broker.url], {
      HARKD_PARTIALS_INTERVAL_MS: '200',
      // a machine that is busy with other tests has more time for partials then
      HARKD_RECOGNIZER_EAGER: 'false',
    });
    await listener.until(`${base}/transcript`, (finals) => finals.length >= 1, 60_000);
    for (const pid of run.children('recognizer/process.js')) process.kill(pid, 'SIGKILL');
    await listener.until(`${base}/transcript`, (finals) => finals.length >= 3, 60_000);
    const before = finalsOf(listener);
    const partials = partialsOf(listener);
    listener.close();
    await broker.kill();
    await run.logged('that the broker is away', ({ msg }) => msg.includes('BROKER_UNREACHABLE'));
    // several sentences are spoken meanwhile
    await run.logged('a transcript without a broker', ({ msg }) => /transcript 5 says/.test(msg));
    const again = await startMosquitto({ port: broker.port });
    listener = await listenTo(again.url, `${base}/#`);
    assert.is(await run.exited, 0, JSON.stringify(run.log.slice(-5)));
    const finals = [...before, ...finalsOf(listener)];
    assert.equal(uniqueTexts(finals), spoken);
    partials.push(...partialsOf(listener));
    assert.ok(partials.length > 0, 'partials of what was said later than the first sentence');
    for (const { id, text, stableChars } of partials) {
      assert.ok(finals.some((final) => final.id === id) && stableChars <= text.length, text);
    }
    const sequence = [...new Set(finals.map(({ seq }) => seq))];
    assert.equal(
      sequence,
      sequence.toSorted((a, b) => a - b),
      'order is kept',
    );
    assert.ok(
      run.log.some(({ msg }) => msg.includes('RECOGNIZER_CRASHED')),
      'the crash was announced',
    );
    listener.close();
    await again.stop();
  });

  daemon('muting releases the source and is shown as the real state', async () => {
    const broker = await startMosquitto();
    const listener = await listenTo(broker.url, `${base}/#`);
    const run = startDaemon(['--source', `file:${household}`, '--broker', broker.url]);
    await listener.until(`${base}/mute`, (states) => states.at(-1)?.text === 'OFF');
    await listener.client.publishAsync(`${base}/mute/set`, 'ON', { qos: 1 });
    await listener.until(`${base}/mute`, (states) => states.at(-1)?.text === 'ON');
    await listener.client.publishAsync(`${base}/mute/set`, 'OFF', { qos: 1 });
    await listener.until(`${base}/mute`, (states) => states.at(-1)?.text === 'OFF');
    assert.is(await run.stop(), 0);
    assert.is(listener.on(`${base}/status`).at(-1)?.text, 'offline');
    listener.close();
    await broker.stop();
  });
} else announceSkip('daemon with mosquitto', mosquittoMissing);

daemon('the embedded broker says where it is, and serves any client', async () => {
  const run = startDaemon(['--source', `file:${household}`]);
  const { url } = await run.logged('the embedded broker', ({ msg }) => msg.includes('embedded broker'));
  const listener = await listenTo(String(url), `${base}/#`, { protocolVersion: 4 });
  await listener.until(`${base}/transcript/text`, (texts) => texts.length >= 1, 30_000);
  assert.is(listener.on(`${base}/transcript/text`)[0]?.text, spoken[0]);
  // who listens early enough also hears the end of a run that may have been before
  assert.is(listener.on(`${base}/status`).at(-1)?.text, 'online');
  assert.is(await run.stop(), 0);
  listener.close();
});

daemon('what the operator must mend ends the start with a code, a sentence and a hint', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'harkd-bad-'));
  const config = path.join(folder, 'harkd.yaml');
  writeFileSync(config, 'sorce: alsa\nvad:\n  treshold: 2\n');
  const cases: [string, string[], number, RegExp][] = [
    [
      'an unknown key',
      ['run', '--config', config],
      78,
      /CONFIG_INVALID[\s\S]*source[\s\S]*threshold[\s\S]*hint:/,
    ],
    ['an unknown option', ['run', '--sorce', 'alsa'], 64, /USAGE_INVALID[\s\S]*hint:/],
    ['no such model', ['run', '--model', path.join(folder, 'none')], 78, /MODEL_MISSING[\s\S]*hint:/],
    [
      'no such provider',
      ['run', '--provider', 'gpu', '--source', `file:${household}`],
      78,
      /PROVIDER_UNKNOWN[\s\S]*hint:/,
    ],
    ['no such file', ['run', '--source', 'file:/nonexistent.wav', '--once'], 66, /INPUT_MISSING[\s\S]*hint:/],
    ['no command', [], 64, /USAGE_INVALID/],
  ];
  for (const [what, args, code, words] of cases) {
    const { code: got, stderr } = await harkd(args, { HARKD_MQTT_EMBEDDED_PORT: '0' });
    assert.is(got, code, `${what}: ${stderr}`);
    assert.match(stderr, words, what);
    assert.not.match(stderr, /\n\s+at /, `${what} shows no stack`);
  }
  rmSync(folder, { recursive: true });
});

daemon('a minute of silence and a minute of noise are no speech', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'harkd-quiet-'));
  const random = randomFrom(7);
  const minute = 60 * 16_000;
  const silence = path.join(folder, 'silence.wav');
  const noise = path.join(folder, 'noise.wav');
  writeFileSync(silence, wavOf(s16Of(new Float32Array(minute))));
  writeFileSync(noise, wavOf(s16Of(Float32Array.from({ length: minute }, () => (random() - 0.5) * 0.1))));
  const { code, stdout, stderr } = await harkd(['transcribe', silence, noise]);
  assert.is(code, 0, stderr);
  assert.is(stdout, '');
  rmSync(folder, { recursive: true });
});

daemon.run();
