/**
 * `npm run demo`: the main job on a machine that has nothing. Starts the daemon, as a user would, on the recording
 * that ships with it and with the broker that ships with it; subscribes like any other client, and prints what
 * arrives. Ends with 0 if every sentence arrived as it was spoken.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { follow, type Heard } from './subscriber.ts';

const packageDir = path.join(import.meta.dirname, '../..');
const demoDir = path.join(packageDir, 'models/embedded/demo');
const recording = 'household.wav';

type Sentences = {
  readonly recordings: readonly {
    readonly file: string;
    readonly sentences: readonly { readonly text: string }[];
  }[];
};

const spoken = (
  JSON.parse(readFileSync(path.join(demoDir, 'sentences.json'), 'utf8')) as Sentences
).recordings
  .find(({ file }) => file === recording)
  ?.sentences.map(({ text }) => text);
if (spoken === undefined) throw new Error(`${demoDir}/sentences.json says nothing of ${recording}`);

const startedAtMs = performance.now();
function print(what: string, text: string): void {
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds} s  ${what.padEnd(8)}  ${text}\n`);
}

/** Starts the daemon and answers the address its log names. What else it says is for its log, unless it fails. */
async function startDaemon(): Promise<{ readonly daemon: ChildProcess; readonly url: string }> {
  const daemon = spawn(
    process.execPath,
    [
      path.join(import.meta.dirname, 'main.js'),
      'run',
      ...['--source', `file:${path.join(demoDir, recording)}`],
      ...['--broker', 'embedded', '--once'],
    ],
    {
      // any free port: this machine may have a broker already
      env: { ...process.env, HARKD_LOG_FORMAT: 'json', HARKD_SITE: 'demo', HARKD_MQTT_EMBEDDED_PORT: '0' },
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  const log = createInterface({ input: daemon.stderr as NodeJS.ReadableStream });
  const url = new Promise<string>((resolve, reject) => {
    log.on('line', (line) => {
      if (!line.startsWith('{')) return void process.stderr.write(`${line}\n`);
      const { level, msg, hint, url: brokerUrl } = JSON.parse(line) as Record<string, string>;
      if (level === 'error' || level === 'warn')
        print(level, hint === undefined ? `${msg}` : `${msg}: ${hint}`);
      if (brokerUrl !== undefined) resolve(brokerUrl);
    });
    daemon.once('exit', (code) =>
      reject(new Error(`the daemon ended with ${code} before its broker was up`)),
    );
  });
  return { daemon, url: await url };
}

const heard: string[] = [];
const latenciesMs: number[] = [];

function show(message: Heard): void {
  switch (message.type) {
    case 'status':
      print('status', message.status);
      break;
    case 'speech':
      print('speech', message.speaking ? 'ON' : 'OFF');
      break;
    case 'transcript': {
      const { text, latencyMs, confidence } = message.transcript;
      heard.push(text);
      latenciesMs.push(latencyMs);
      print(
        'final',
        `"${text}"  ${latencyMs} ms after the end of speech, confidence ${confidence.toFixed(2)}`,
      );
      break;
    }
    case 'health': {
      const { microphone, recognizer, latencyMs, rssMb } = message.health;
      const latency = latencyMs.p50 === null ? '' : `, latency p50 ${latencyMs.p50} ms`;
      const memory = rssMb === null ? '' : `, ${rssMb} MB`;
      print('health', `microphone ${microphone.state}, recognizer ${recognizer.state}${latency}${memory}`);
      break;
    }
    case 'event':
      print('event', message.event.type);
      break;
    case 'trouble':
      print('trouble', `${message.fault.code}: ${message.fault.message}`);
      break;
    default:
      // what a person at a demo need not read: info, mute, partials
      break;
  }
}

const { daemon, url } = await startDaemon();
print('broker', `${url}, embedded; try: mosquitto_sub -p ${new URL(url).port} -t 'harkd/#' -v`);
const over = new AbortController();
const ended = once(daemon, 'exit').then(([code]) => code as number | null);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => daemon.kill('SIGTERM'));
const listening = (async () => {
  for await (const message of follow({ url, base: 'harkd/+', signal: over.signal })) {
    show(message);
    // the last word of a clean stop; the embedded broker goes with the daemon
    if (message.type === 'status' && message.status === 'offline') return;
  }
})().catch((thrown: unknown) => {
  // the daemon has said why on its log, above
  print('error', thrown instanceof Error ? thrown.message : String(thrown));
});
const code = await ended;
over.abort();
await listening;

const right = spoken.filter((sentence, index) => heard[index] === sentence).length;
const median = latenciesMs.toSorted((a, b) => a - b)[Math.floor(latenciesMs.length / 2)];
print(
  'done',
  `${right} of ${spoken.length} sentences as spoken, over MQTT; median ${median} ms from end of speech to text`,
);
process.exitCode = code === 0 && right === spoken.length && heard.length === spoken.length ? 0 : 1;
