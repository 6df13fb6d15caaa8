/** The real daemon: `main.js run` with its recognizer process, its embedded broker, and a client of that broker. */
import { readdirSync, readFileSync } from 'node:fs';
import { type Memory, readMemory } from '../../daemon/bench/memory.ts';
import { type Summary, summarize } from '../../daemon/bench/statistics.ts';
import { type Listener, listenTo } from '../fixtures/broker.ts';
import { type RunningDaemon, startDaemon } from '../fixtures/daemon.ts';
import { randomFrom } from '../random.ts';
import { createStream, frameMs, quietFrame, type Utterance } from './stream.ts';

type Final = {
  readonly text: string;
  readonly latencyMs: number;
  readonly durationMs: number;
  readonly replayed: boolean;
};

export type LatencyFigures = {
  /** From writing the frame that closes the segment to the final in a client's hands. */
  readonly clientMs: Summary;
  /** What the daemon says of itself in `latencyMs`: segment closed to text. */
  readonly reportedMs: Summary;
  readonly segmentMs: number;
  /** CPU time of the daemon and the recognizer process, all threads, from the first frame to the final. */
  readonly cpuMs: Summary;
  /** What their threads waited, after the closing frame, for a core that somebody else had. */
  readonly waitMs: Summary;
  /** Length of the sound from the first frame to the closing one. */
  readonly heardMs: number;
};

type Together = {
  readonly daemon: Memory;
  readonly recognizer: Memory;
  readonly rssMb: number;
  readonly pssMb: number;
};

export type IdleFigures = {
  readonly measuredS: number;
  /** CPU time of each process, of one core. */
  readonly daemonShare: number;
  readonly recognizerShare: number;
  /** Of both, carried on to a minute. */
  readonly cpuSecondsPerMinute: number;
};

export type LivingFigures = {
  readonly latency: LatencyFigures;
  readonly memoryAtStart: Together;
  /** After all utterances. */
  readonly memory: Together;
  readonly idle: IdleFigures | undefined;
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
const base = 'harkd/test';

function together(daemonPid: number, recognizerPid: number): Together {
  const daemon = readMemory(daemonPid);
  const recognizer = readMemory(recognizerPid);
  return {
    daemon,
    recognizer,
    rssMb: (daemon.rssMb ?? 0) + (recognizer.rssMb ?? 0),
    pssMb: (daemon.pssMb ?? 0) + (recognizer.pssMb ?? 0),
  };
}

type Scheduled = { readonly cpuMs: number; readonly waitMs: number };

/**
 * Time that all threads of the processes have run, and have waited to run. Threads that have ended are not counted.
 * Source: Documentation/scheduler/sched-stats.rst, nanoseconds.
 */
function scheduled(...pids: readonly number[]): Scheduled {
  let cpuMs = 0;
  let waitMs = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8')
        .split(' ')
        .map(Number);
      cpuMs += ran / 1e6;
      waitMs += waited / 1e6;
    }
  }
  return { cpuMs, waitMs };
}

/** Says frames at the pace of a microphone. `next` is asked for frame after frame until it has no more. */
async function speak(daemon: RunningDaemon, next: (index: number) => Buffer | undefined): Promise<void> {
  const startedAtMs = performance.now();
  for (let i = 0; ; i++) {
    const frame = next(i);
    if (frame === undefined) return;
    await sleep(startedAtMs + (i + 1) * frameMs - performance.now());
    daemon.process.stdin?.write(frame);
  }
}

type Pids = { readonly daemon: number; readonly recognizer: number };
type Asked = Scheduled & { readonly final: Final; readonly clientMs: number };

async function askOnce(
  daemon: RunningDaemon,
  pids: Pids,
  listener: Listener,
  utterance: Utterance,
): Promise<Asked> {
  const { frames, speechEnd, closing } = utterance;
  const first = scheduled(pids.daemon, pids.recognizer);
  const already = listener.on(`${base}/transcript`).length;
  // the sentence in one go, the silence that ends it as it comes: caches are as cold as they will be at home
  for (const frame of frames.slice(0, speechEnd)) daemon.process.stdin?.write(frame);
  await speak(daemon, (i) => (speechEnd + i < closing ? frames[speechEnd + i] : undefined));
  await sleep(frameMs);
  if (listener.on(`${base}/transcript`).length > already)
    throw new Error('the segment was closed before it was expected');
  const before = scheduled(pids.daemon, pids.recognizer);
  const saidAtMs = performance.now();
  daemon.process.stdin?.write(frames[closing] as Buffer);
  const finals = await listener.until(`${base}/transcript`, (received) => received.length > already);
  const clientMs = performance.now() - saidAtMs;
  const after = scheduled(pids.daemon, pids.recognizer);
  for (const frame of frames.slice(closing + 1)) daemon.process.stdin?.write(frame);
  return {
    final: JSON.parse(finals.at(-1)?.text ?? '') as Final,
    clientMs,
    cpuMs: after.cpuMs - first.cpuMs,
    waitMs: after.waitMs - before.waitMs,
  };
}

const warmUps = 3;

export type LivingOptions = {
  readonly threads: number;
  readonly rounds: number;
  /** Seconds of quiet heard at the end; 0 leaves that out. */
  readonly idleS: number;
  /** Recognise in the pause that may end the sentence, as by default, or only after it. */
  readonly eager: boolean;
};

/** Starts a daemon, says the command to it again and again, and listens as a client of its broker. */
export async function measureLiving({
  threads,
  rounds,
  idleS,
  eager,
}: LivingOptions): Promise<LivingFigures> {
  const random = randomFrom(1);
  // so that the microphone is known to be listening
  const before = [quietFrame(random), quietFrame(random)];
  const { text, utterances } = await createStream(before, warmUps + rounds);
  const environment = { HARKD_RECOGNIZER_EAGER: String(eager) };
  const daemon = startDaemon(['--source', 'stdin', '--threads', String(threads)], environment, {
    verbose: false,
  });
  try {
    const broker = await daemon.logged('where its broker is', ({ msg }) =>
      msg.startsWith('embedded broker on'),
    );
    // the embedded broker speaks 3.1.1
    const listener = await listenTo(String(broker['url']), `${base}/#`, { protocolVersion: 4 });
    for (const frame of before) daemon.process.stdin?.write(frame);
    await daemon.logged('that it is ready', ({ msg }) => msg.startsWith('ready after'));
    const pids = {
      daemon: daemon.process.pid ?? 0,
      recognizer: daemon.children('recognizer/process.js')[0] ?? 0,
    };
    const memoryAtStart = together(pids.daemon, pids.recognizer);
    const heard: Asked[] = [];
    for (const [i, utterance] of utterances.entries()) {
      const one = await askOnce(daemon, pids, listener, utterance);
      if (one.final.text !== text || one.final.replayed)
        throw new Error(`heard ${JSON.stringify(one.final)}`);
      if (i >= warmUps) heard.push(one);
    }
    const memory = together(pids.daemon, pids.recognizer);
    const idle = idleS > 0 ? await measureIdle(daemon, pids, idleS, random) : undefined;
    listener.close();
    return {
      latency: {
        clientMs: summarize(heard.map(({ clientMs }) => clientMs)),
        reportedMs: summarize(heard.map(({ final }) => final.latencyMs)),
        segmentMs: heard[0]?.final.durationMs ?? 0,
        cpuMs: summarize(heard.map(({ cpuMs }) => cpuMs)),
        waitMs: summarize(heard.map(({ waitMs }) => waitMs)),
        heardMs: ((utterances[0]?.closing ?? 0) + 1) * frameMs,
      },
      memoryAtStart,
      memory,
      idle,
    };
  } finally {
    daemon.process.stdin?.end();
    await daemon.stop();
  }
}

async function measureIdle(
  daemon: RunningDaemon,
  pids: Pids,
  idleS: number,
  random: () => number,
): Promise<IdleFigures> {
  const frames = Array.from({ length: 64 }, () => quietFrame(random));
  const before = { daemon: scheduled(pids.daemon), recognizer: scheduled(pids.recognizer) };
  const startedAtMs = performance.now();
  await speak(daemon, (i) => (i * frameMs < idleS * 1000 ? frames[i % frames.length] : undefined));
  const measuredMs = performance.now() - startedAtMs;
  const daemonShare = (scheduled(pids.daemon).cpuMs - before.daemon.cpuMs) / measuredMs;
  const recognizerShare = (scheduled(pids.recognizer).cpuMs - before.recognizer.cpuMs) / measuredMs;
  return {
    measuredS: measuredMs / 1000,
    daemonShare,
    recognizerShare,
    cpuSecondsPerMinute: 60 * (daemonShare + recognizerShare),
  };
}

export type StartFigures = {
  /** Before the program is started, to its log saying that it is ready. */
  readonly wallMs: Summary;
  /** What that line says: from the start of node in the process. */
  readonly reportedMs: Summary;
  /** Of the daemon and the recognizer process until then. */
  readonly cpuMs: Summary;
};

/** Starts the daemon `starts` times with sound waiting for it. */
export async function measureStarts(threads: number, starts: number): Promise<StartFigures> {
  const wall: number[] = [];
  const reported: number[] = [];
  const cpu: number[] = [];
  const frame = quietFrame(randomFrom(2));
  // one more than counted: the first reads files that the disk may have to look for
  for (let i = -1; i < starts; i++) {
    const startedAtMs = performance.now();
    const daemon = startDaemon(['--source', 'stdin', '--threads', String(threads)], {}, { verbose: false });
    for (let frames = 0; frames < 4; frames++) daemon.process.stdin?.write(frame);
    const line = await daemon.logged('that it is ready', ({ msg }) => msg.startsWith('ready after'));
    const wallMs = performance.now() - startedAtMs;
    const { cpuMs } = scheduled(daemon.process.pid ?? 0, ...daemon.children('recognizer/process.js'));
    daemon.process.stdin?.end();
    await daemon.stop();
    if (i < 0) continue;
    cpu.push(cpuMs);
    wall.push(wallMs);
    reported.push(Number(line['sinceStartMs']));
  }
  return { wallMs: summarize(wall), reportedMs: summarize(reported), cpuMs: summarize(cpu) };
}
