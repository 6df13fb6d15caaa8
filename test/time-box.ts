/** How long a test goes on with tries at random. */

/**
 * Whether there is to be another round: for `boxMs`, and beyond, until there were `leastRounds`, so that what a test
 * demands of its rounds as a whole does not hang on how fast the machine is. Each question is a round.
 */
export function timeBox(boxMs: number, leastRounds: number): () => boolean {
  const endMs = performance.now() + boxMs;
  let rounds = 0;
  return () => {
    const goesOn = rounds < leastRounds || performance.now() < endMs;
    if (goesOn) rounds++;
    return goesOn;
  };
}
