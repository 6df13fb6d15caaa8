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

/**
 * What graphs answer lies outside V8's heap, where V8 hardly counts it: 0.6 MB for a command of 3 s, which had grown to
 * tens of megabytes before it was collected. A collection of the young takes less than a millisecond and comes after
 * the answer.
 */
function collectGarbage(): void {
  setImmediate(() => globalThis.gc?.({ type: 'minor' }));
}

let opened: ReturnType<typeof openRecognition> | undefined;

process.on('message', async (message: ToChild) => {
  switch (message.type) {
    case 'load':
      try {
        opened = openRecognition(message.setup);
        tell({ type: 'loaded', model: (await opened).model });
      } catch (thrown) {
        tell({ type: 'load-failed', fault: wire(thrown) });
      }
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
      collectGarbage();
      return;
    default:
      message satisfies never;
  }
});

// Ctrl-C reaches the whole process group; what is being recognised is finished, the daemon says when to end
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
