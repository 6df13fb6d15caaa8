/**
 * The half of the recognizer that blocks: its thread does nothing but run graphs. It is told what to load, then
 * asked one segment at a time; it ends when the daemon closes the channel, or dies with it.
 */
import { toFault } from '../faults.ts';
import type { FromChild, ToChild, WireFault } from './messages.ts';
import { openRecognition } from './open.ts';

function tell(message: FromChild): void {
  // the daemon may have gone while a graph ran: there is nobody left to tell, and no reason to complain
  if (process.connected) process.send?.(message, () => undefined);
}

function wire(thrown: unknown): WireFault {
  const { code, message, hint } = toFault(thrown);
  return { code, message, hint };
}

/** So much may lie outside of V8's heap uncollected. */
const maxUncollectedBytes = 4e6;
let externalBytes = 0;

/**
 * What graphs answer lies outside V8's heap, where V8 hardly counts it: 0.6 MB for a command of 3 s, which had grown to
 * tens of megabytes before it was collected. A collection of the young takes less than a millisecond and comes after
 * the answer; what it takes for old, a whole one (10 ms) collects when there is much of it.
 */
function collectGarbage(kind: 'young' | 'all'): void {
  setImmediate(() => {
    if (kind === 'young' && process.memoryUsage().external - externalBytes < maxUncollectedBytes) {
      globalThis.gc?.({ type: 'minor' });
      return;
    }
    globalThis.gc?.();
    externalBytes = process.memoryUsage().external;
  });
}

let opened: ReturnType<typeof openRecognition> | undefined;

process.on('message', async (message: ToChild) => {
  switch (message.type) {
    case 'load':
      try {
        opened = openRecognition(message.setup);
        tell({ type: 'loaded', model: (await opened).model });
        collectGarbage('all');
      } catch (thrown) {
        tell({ type: 'load-failed', fault: wire(thrown) });
      }
      return;
    case 'adjust':
      // one that could not be opened is told by `load-failed`
      opened?.then(
        ({ adjust }) => adjust(message.settings),
        () => undefined,
      );
      return;
    case 'transcribe':
      try {
        if (opened === undefined) throw new Error('asked before a model was loaded');
        const { recognize } = await opened;
        const { job, samples, language } = message;
        tell({ type: 'recognized', job, recognition: await recognize(samples, language) });
      } catch (thrown) {
        tell({ type: 'failed', job: message.job, fault: wire(thrown) });
      }
      collectGarbage('young');
      return;
    default:
      message satisfies never;
  }
});

// Ctrl-C reaches the whole process group; what is being recognised is finished, the daemon says when to end
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
