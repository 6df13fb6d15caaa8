/** Runs one peer: its libraries, its memory and its faults are then nobody else's. */
import { readFileSync } from 'node:fs';
import type { Answer, Memory, OpenedPeer, Order } from './peer.ts';
import { entries } from './peers.ts';

function readMemory(): Memory {
  const status = readFileSync('/proc/self/status', 'utf8');
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024e-6;
  return { residentMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

let opened: OpenedPeer | undefined;

async function obey(order: Order): Promise<Answer> {
  if (order.type === 'open') {
    const entry = entries.find(({ name }) => name === order.peer);
    if (entry === undefined) throw new Error(`nobody is called ${order.peer}`);
    const startedAtMs = performance.now();
    opened = await entry.open(order.files);
    return { type: 'opened', loadMs: performance.now() - startedAtMs, memory: readMemory() };
  }
  if (opened === undefined) throw new Error('asked before it was opened');
  const usedBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  const heard = await opened.hear(order.samples);
  const wallMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(usedBefore);
  const memory = readMemory();
  return { type: 'heard', heard, wallMs, cpuMs: (user + system) / 1000, memory };
}

process.on('message', async (order: Order) => {
  try {
    process.send?.(await obey(order));
  } catch (thrown) {
    const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    process.send?.({ type: 'failed', message } satisfies Answer);
  }
});
