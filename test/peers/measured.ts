/** Asks peers in turn, so that whatever else the machine does is done to all of them. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { script } from './checkpoint.ts';
import type { Memory } from './memory.ts';
import type { Answer, Order, PeerFiles } from './peer.ts';
import type { Entry } from './peers.ts';

const processFile = path.join(import.meta.dirname, 'peer-process.js');

export type Utterance = {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly stagesMs: Readonly<Record<string, number>>;
};

export type Measured = {
  readonly name: string;
  readonly remark: string;
  readonly utterances: Utterance[];
  /** One for each process. */
  readonly loadMs: number[];
  readonly loaded: Memory[];
  readonly used: Memory[];
  failure: string | undefined;
};

export type Plan = {
  readonly files: PeerFiles;
  readonly samples: Float32Array;
  /** Processes of each peer, one after the other: memory lies elsewhere in each. */
  readonly processes: number;
  readonly warmUps: number;
  readonly rounds: number;
  /** Undefined where taskset is missing. */
  readonly core: number | undefined;
  readonly onProgress: (doing: string) => void;
};

const environment = {
  ...process.env,
  // its libraries would report home, and take threads for themselves
  ORT_DISABLE_TELEMETRY: '1',
  OMP_NUM_THREADS: '1',
};

function start(core: number | undefined): ChildProcess {
  const command = [process.execPath, processFile];
  const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  return spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: environment,
  });
}

function ask(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let said = '';
    const onError = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    };
    child.stderr?.on('data', onError);
    const onExit = (code: number | null, signal: string | null) =>
      reject(new Error(`ended with ${code ?? signal}: ${said}`));
    child.once('exit', onExit);
    child.once('message', (answer: Answer) => {
      child.off('exit', onExit);
      child.stderr?.off('data', onError);
      resolve(answer);
    });
    child.send(order);
  });
}

type Running = { readonly child: ChildProcess; readonly measured: Measured };

async function open(entry: Entry, measured: Measured, plan: Plan): Promise<Running | undefined> {
  const child = start(plan.core);
  try {
    const answer = await ask(child, { type: 'open', peer: entry.name, files: plan.files });
    if (answer.type !== 'opened') throw new Error(answer.type === 'failed' ? answer.message : answer.type);
    measured.loadMs.push(answer.loadMs);
    measured.loaded.push(answer.memory);
    return { child, measured };
  } catch (thrown) {
    measured.failure = thrown instanceof Error ? thrown.message : String(thrown);
    child.kill();
    return undefined;
  }
}

async function hear({ child, measured }: Running, plan: Plan, counts: boolean): Promise<Memory | undefined> {
  try {
    const answer = await ask(child, { type: 'hear', samples: plan.samples });
    if (answer.type !== 'heard') throw new Error(answer.type === 'failed' ? answer.message : answer.type);
    const { heard, memory } = answer;
    // whoever says anything else did other work
    if (heard.text.trim() !== script) throw new Error(`said '${heard.text}', expected '${script}'`);
    const { wallMs, cpuMs } = heard.own ?? answer;
    if (counts) measured.utterances.push({ wallMs, cpuMs, stagesMs: heard.stagesMs });
    if (heard.own !== undefined) {
      // its memory is not that of the process that starts it
      measured.loaded.length = 0;
      if (measured.utterances.length <= 1) measured.loadMs.length = 0;
      measured.loadMs.push(heard.own.loadMs);
      return undefined;
    }
    return memory;
  } catch (thrown) {
    measured.failure = thrown instanceof Error ? thrown.message : String(thrown);
    return undefined;
  }
}

/** Measures all of `entries`. One that fails says so in its row; the others go on. */
export async function measure(entries: readonly Entry[], plan: Plan): Promise<Measured[]> {
  const all = entries.map(
    ({ name, remark }): Measured => ({
      name,
      remark,
      utterances: [],
      loadMs: [],
      loaded: [],
      used: [],
      failure: undefined,
    }),
  );
  for (let lap = 1; lap <= plan.processes; lap++) {
    const running: Running[] = [];
    try {
      for (const [i, entry] of entries.entries()) {
        plan.onProgress(`process ${lap} of ${plan.processes}: loading ${entry.name}`);
        const opened = await open(entry, all[i] as Measured, plan);
        if (opened !== undefined) running.push(opened);
      }
      for (let round = -plan.warmUps; round < plan.rounds; round++) {
        for (const one of running) {
          if (one.measured.failure !== undefined) continue;
          plan.onProgress(
            `process ${lap} of ${plan.processes}, round ${round + 1} of ${plan.rounds}: ${one.measured.name}`,
          );
          const memory = await hear(one, plan, round >= 0);
          if (round === plan.rounds - 1 && memory !== undefined) one.measured.used.push(memory);
        }
      }
    } finally {
      for (const { child } of running) child.kill();
    }
  }
  return all;
}
