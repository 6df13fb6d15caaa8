/**
 * A test that this machine cannot run says so, and the runner repeats it in its last lines: skipped, never silent.
 * `reason` names what is missing and how to get it.
 */
export function announceSkip(what: string, reason: string): void {
  process.stdout.write(`SKIPPED ${what}: ${reason}\n`);
}
