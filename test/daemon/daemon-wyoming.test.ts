/** The whole daemon as Assist's speech-to-text engine, on the embedded model, with the clients that there are. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Listener, listenTo } from '../fixtures/broker.ts';
import { harkd, packageDir, type RunningDaemon, startDaemon } from '../fixtures/daemon.ts';
import { base, demoDir, household, recordings, sentencesOf } from '../fixtures/demo.ts';
import { wavOf } from '../fixtures/wav.ts';
import { wyomingClient } from '../fixtures/wyoming.ts';
import { announceSkip } from '../skip.ts';

const wavHeaderBytes = 44;
const bytesPerMs = 32;

/** Each sentence of the demo's recordings with half a second around it, as a voice satellite would cut it. */
const commands = recordings.flatMap(({ file, sentences }) => {
  const pcm = readFileSync(path.join(demoDir, file)).subarray(wavHeaderBytes);
  return sentences.map(({ text, startMs, endMs }) => ({
    text,
    pcm: pcm.subarray(Math.max(0, startMs - 500) * bytesPerMs, (endMs + 500) * bytesPerMs),
  }));
});

/** Its own microphone hears nothing until the last test writes into it. */
let run: RunningDaemon;
let listener: Listener;
let port = 0;

const test = suite('daemon with wyoming');

test.before(async () => {
  run = startDaemon(['--source', 'stdin', '--wyoming', '127.0.0.1:0']);
  const wyoming = await run.logged('where Wyoming is', ({ msg }) => msg.startsWith('Wyoming on'));
  port = Number(new URL(String(wyoming['url'])).port);
  const broker = await run.logged('the broker', ({ msg }) => msg.includes('embedded broker'));
  listener = await listenTo(String(broker['url']), `${base}/#`, { protocolVersion: 4 });
});

test.after(async () => {
  listener.close();
  assert.is(await run.stop(), 0);
});

test('every sentence of the demo is answered with its words, and none of them is published or logged', async () => {
  for (const { text, pcm } of commands) {
    // a connection for each command, as Home Assistant does it
    const client = await wyomingClient(port);
    assert.equal((await client.transcribe(pcm, { language: 'en' })).data, { text, language: 'en' });
    client.close();
  }
  await listener.until(`${base}/health`, (healths) => healths.length > 0);
  const told = listener.received.filter(({ topic }) => topic.startsWith(`${base}/transcript`));
  assert.equal(told, []);
  const log = JSON.stringify(run.log);
  for (const { text } of commands) assert.not(log.includes(text), text);
});

const python = spawnSync('python3', ['-c', 'import wyoming']);

if (python.status === 0) {
  test("the protocol's own client is understood, and understands", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'harkd-wyoming-'));
    const files = commands.map(({ pcm }, i) => {
      const file = path.join(folder, `${i}.wav`);
      writeFileSync(file, wavOf(pcm));
      return file;
    });
    const program = path.join(packageDir, 'test/fixtures/wyoming-client.py');
    const answers = await new Promise<Record<string, unknown>[]>((resolve, reject) => {
      const child = spawn('python3', [program, String(port), ...files], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      child.once('close', (code) => {
        const lines = output.trim().split('\n');
        if (code === 0) resolve(lines.map((line) => JSON.parse(line) as Record<string, unknown>));
        else reject(new Error(`the client ended with ${code} after ${output}`));
      });
    });
    const [info, pong, ...transcripts] = answers;
    const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
    assert.equal(info, {
      program: 'harkd',
      version,
      installed: true,
      streaming: true,
      model: 'nano',
      languages: ['en'],
      attribution: 'harkd',
    });
    assert.equal(pong, { pong: 'hello' });
    assert.equal(
      transcripts,
      commands.map(({ text }) => ({
        text,
        language: 'en',
        chunks: [text],
        types: ['transcript-start', 'transcript-chunk', 'transcript', 'transcript-stop'],
      })),
    );
    rmSync(folder, { recursive: true });
  });
} else announceSkip("Wyoming with the protocol's own client", 'pip install wyoming');

test('a microphone and Assist are answered side by side, by one recognizer', async () => {
  const spoken = sentencesOf('household.wav').map(({ text }) => text);
  const [first] = commands;
  const client = await wyomingClient(port);
  let asked = 0;
  let isOver = false;
  const finals = listener
    .until(`${base}/transcript/text`, (texts) => texts.length >= spoken.length)
    .finally(() => {
      isOver = true;
    });
  run.process.stdin?.end(readFileSync(household));
  while (!isOver) {
    assert.is((await client.transcribe(first?.pcm ?? Buffer.alloc(0))).data['text'], first?.text);
    asked++;
  }
  assert.equal(
    (await finals).map(({ text }) => text),
    spoken,
  );
  assert.ok(asked > 1, `${asked} commands of Assist meanwhile`);
  assert.is(run.children('recognizer/process.js').length, 1, 'one process');
  client.close();
});

test('the network is let in only when it is said aloud', async () => {
  const { code, stderr } = await harkd(['run', '--source', 'stdin', '--wyoming', '0.0.0.0:10300']);
  assert.is(code, 78);
  assert.match(stderr, /CONFIG_INVALID/);
  assert.match(stderr, /wyoming\.listen is "0\.0\.0\.0:10300".*wyoming\.allowLan: true/);
});

test.run();
