/**
 * Texts about the same sound that go on side by side, each fed a token by the same run of the decoder: what a run costs
 * besides its products, and reading the weights, is paid once for all of them.
 */
import type { Session, Tensor } from '../../providers/provider.ts';
import type { BeamSource } from './beam-search.ts';
import type { WhisperShape } from './graphs.ts';
import { createSelfCache, type SelfCache, takeTexts } from './self-cache.ts';

export type SideBySideInput = {
  readonly decoder: Session;
  readonly shape: WhisperShape;
  /** What is fed to every step alike: all but the tokens, their places, the rows and the caches. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** One text, as the decoder left it after the prompt; not written to. */
  readonly promptCache: SelfCache;
  readonly promptTokens: number;
};

/** The tensors of a step of so many texts, written in place. */
type Bound = {
  readonly tokens: BigInt64Array;
  readonly lastPosition: Int32Array;
  readonly totalTokens: Int32Array;
  readonly logits: Float32Array;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly into: Readonly<Record<string, Tensor>>;
};

export class SideBySide implements BeamSource {
  readonly #input: SideBySideInput;
  #cache: SelfCache;
  /** The cache before, to be written to next. */
  #spare: SelfCache | undefined;
  #bound: Bound | undefined;
  #totalTokens: number;

  constructor(input: SideBySideInput) {
    this.#input = input;
    this.#cache = input.promptCache;
    this.#totalTokens = input.promptTokens;
  }

  /** Logits [B, V] after feeding each text its token; the next step overwrites them. */
  async step(parents: readonly number[], tokens: readonly number[]): Promise<Float32Array> {
    this.#totalTokens++;
    const bound = this.#continue(parents);
    bound.tokens.set(tokens.map(BigInt));
    bound.lastPosition.fill(this.#totalTokens - 1);
    bound.totalTokens[0] = this.#totalTokens;
    await this.#input.decoder.run(bound.feeds, Object.keys(bound.into), bound.into);
    return bound.logits;
  }

  /** Gives the caches back; the prompt's stays. */
  close(): void {
    for (const cache of [this.#cache, this.#spare]) if (cache !== undefined) this.#release(cache);
  }

  /** Makes `parents` the texts that go on; where they are those of before, in their order, nothing moves. */
  #continue(parents: readonly number[]): Bound {
    const { promptCache, shape } = this.#input;
    const before = this.#cache;
    const same = before.texts === parents.length && parents.every((parent, i) => parent === i);
    const isRoom = before.capacity >= this.#totalTokens;
    if (same && isRoom && before !== promptCache && this.#bound !== undefined) return this.#bound;
    const fits = this.#spare?.texts === parents.length && this.#spare.capacity >= this.#totalTokens;
    if (!fits && this.#spare !== undefined) this.#release(this.#spare);
    this.#cache =
      fits && this.#spare !== undefined
        ? this.#spare
        : createSelfCache(shape, this.#totalTokens, parents.length);
    takeTexts(before, parents, this.#cache);
    this.#spare = before === promptCache ? undefined : before;
    this.#bound = this.#bind();
    return this.#bound;
  }

  #bind(): Bound {
    const { texts, tensors } = this.#cache;
    const { vocabularySize } = this.#input.shape;
    const same = this.#bound?.tokens.length === texts ? this.#bound : undefined;
    const tokens = same?.tokens ?? new BigInt64Array(texts);
    const lastPosition = same?.lastPosition ?? new Int32Array(texts);
    const totalTokens = same?.totalTokens ?? new Int32Array(1);
    const logits = same?.logits ?? new Float32Array(texts * vocabularySize);
    return {
      tokens,
      lastPosition,
      totalTokens,
      logits,
      feeds: {
        ...this.#input.feeds,
        tokens: { type: 'int64', dims: [texts, 1], data: tokens },
        last_position: { type: 'int32', dims: [texts], data: lastPosition },
        total_tokens: { type: 'int32', dims: [], data: totalTokens },
        logit_rows: {
          type: 'int64',
          dims: [texts],
          data: BigInt64Array.from({ length: texts }, (_, i) => BigInt(i)),
        },
        ...tensors,
      },
      into: {
        logits: { type: 'float32', dims: [texts, vocabularySize], data: logits },
        // present is past: written in place
        ...Object.fromEntries(
          Object.entries(tensors).map(([name, tensor]) => [`present_${name}`, tensor] as const),
        ),
      },
    };
  }

  #release(cache: SelfCache): void {
    if (cache !== this.#input.promptCache) this.#input.decoder.release(Object.values(cache.tensors));
  }
}
