export type Ignored = { readonly topic: string; readonly reason: string };

const windowMs = 60_000;

/**
 * Tells of at most `most` things a minute that were ignored, since anybody on the broker can send as many as he likes,
 * and with the next one, how many went untold.
 */
export function tellSparingly(
  tell: (ignored: Ignored) => void,
  most = 10,
  nowMs: () => number = () => performance.now(),
): (ignored: Ignored) => void {
  let windowEndsAtMs = Number.NEGATIVE_INFINITY;
  let told = 0;
  let untold = 0;
  return ({ topic, reason }) => {
    if (nowMs() >= windowEndsAtMs) {
      windowEndsAtMs = nowMs() + windowMs;
      told = 0;
    }
    if (told >= most) {
      untold += 1;
      return;
    }
    told += 1;
    tell({ topic, reason: untold === 0 ? reason : `${reason} (and ${untold} more went untold)` });
    untold = 0;
  };
}
