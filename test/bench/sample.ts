/** Results as a run of `npm run bench` would have them, with round numbers. */
import { type Summary, summarize } from '../../daemon/bench/statistics.ts';
import type { RungFigures } from './graphs.ts';
import type { LatencyFigures } from './living.ts';
import type { Results, ThreadResults } from './results.ts';

const around = (value: number): Summary => summarize([value * 0.9, value, value * 1.2]);

function rung(name: string, says: string, melMs: number, encodeMs: number, decodeMs: number): RungFigures {
  return {
    name,
    says,
    melMs: around(melMs),
    encodeMs: around(encodeMs),
    decodeMs: around(decodeMs),
    totalMs: around(melMs + encodeMs + decodeMs),
    agreed: 6,
  };
}

const latency = (clientMs: number, reportedMs: number): LatencyFigures => ({
  clientMs: around(clientMs),
  reportedMs: around(reportedMs),
  segmentMs: 2768,
  cpuMs: around(50),
  waitMs: around(1),
  heardMs: 3680,
});

const memory = (rssMb: number) => ({ rssMb, pssMb: rssMb / 2, anonymousMb: rssMb / 3 });
const together = { daemon: memory(110), recognizer: memory(95), rssMb: 205, pssMb: 103 };

const threadResults = (threads: number): ThreadResults => ({
  threads,
  graphs: {
    stages: {
      text: 'turn <on> & off',
      prompt: [1, 2, 3, 4],
      tokens: [5, 6, 7, 8, 9, 10],
      encodeMs: around(7),
      prefillMs: around(1),
      stepMs: around(0.5),
      totalMs: around(12),
      rtf: around(0.004),
    },
    detector: {
      frameMs: around(0.2),
      pacedCpuMs: around(0.25),
      silenceCpuMs: around(0.2),
      coreShare: 0.0078,
    },
    ladder: [
      rung('plain fp32, 30 s', 'padded', 40, 320, 40),
      rung('plain fp32, true length', 'not padded', 4, 26, 10),
      rung('fused fp32, true length', 'fused', 0, 12, 8),
      rung('fused int8, true length', 'as it ships', 0, 6, 4),
      rung('fused int8, 30 s', 'padded again', 0, 200, 4),
    ],
  },
  living: {
    latency: latency(4, 0),
    memoryAtStart: together,
    memory: together,
    idle: { measuredS: 20, daemonShare: 0.015, recognizerShare: 0, cpuSecondsPerMinute: 0.9 },
  },
  notAhead: latency(24, 20),
  starts: { wallMs: around(700), reportedMs: around(690), cpuMs: around(900) },
});

export const sample: Results = {
  harkd: '0.1.0',
  at: '2026-11-22T09:00:00.000Z',
  commit: 'abc1234',
  command: 'npm run bench',
  machine: {
    board: undefined,
    cpu: 'Some CPU',
    cores: 4,
    memoryMb: 8000,
    kernel: 'Linux 6.1 arm64',
    node: 'v20.20.2',
  },
  load: { before: 0.2, least: 0.2, most: 1.9 },
  pinnedTo: 3,
  niceness: 0,
  rounds: 3,
  starts: 3,
  threads: [threadResults(1), threadResults(2)],
};
