/** For tests of what goes wrong. */
import { Fault } from '../daemon/faults.ts';

/** The fault a run ends with; throws if it ends well or with anything else. */
export async function faultOf(run: () => unknown): Promise<Fault> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('expected a fault, nothing was thrown');
}

/** The same for what throws at once. */
export function faultFrom(run: () => unknown): Fault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('expected a fault, nothing was thrown');
}
