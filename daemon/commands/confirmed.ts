import { createInterface } from 'node:readline/promises';
import { Fault } from '../faults.ts';
import type { CommandContext } from './context.ts';

/**
 * Whether whoever sits at the terminal wants it; `yes` answers for them. Throws `Fault` USAGE_INVALID where nobody
 * sits there; `otherwise` is what they can do instead of adding --yes.
 */
export async function confirmed(
  question: string,
  yes: boolean,
  otherwise: string,
  { stdin, stdoutIsTty, signal }: CommandContext,
): Promise<boolean> {
  if (yes) return true;
  if (!stdoutIsTty || !('isTTY' in stdin) || stdin.isTTY !== true) {
    throw new Fault('USAGE_INVALID', 'nobody is there to confirm it', `add --yes, or ${otherwise}`);
  }
  const prompt = createInterface({ input: stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    prompt.close();
  }
}
