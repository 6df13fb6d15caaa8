/** Runs one peer: its libraries, its memory and its faults are then nobody else's. */
import { readMemory } from './memory.ts';
import type { Answer, OpenedPeer, Order } from './peer.ts';
import { entries } from './peers.ts';

let opened: OpenedPeer | undefined;

async function obey(order: Order): Promise<Answer> {
  if (order.type === 'open') {
    const entry = entries.find(({ name }) => name === order.peer);
    if (entry === undefined) throw new Error(`nobody is called ${order.peer}`);
    const startedAtMs = performance.now();
    opened = await entry.open(order.files);
    return { type: 'opened', loadMs: performance.now() - startedAtMs, memory: readMemory(process.pid) };
  }
  if (opened === undefined) throw new Error('asked before it was opened');
  const usedBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  const heard = await opened.hear(order.samples);
  const wallMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(usedBefore);
  const memory = readMemory(process.pid);
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
