/**
 * Reads a stream of bytes in the pieces a parser asks for, holding no more than one piece and one chunk.
 */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `length` bytes without consuming them; fewer only where the stream ends. */
  async peek(length: number): Promise<Buffer> {
    await this.#hold(length);
    return this.#held.subarray(0, length);
  }

  /** The next `length` bytes; fewer only where the stream ends. */
  async take(length: number): Promise<Buffer> {
    await this.#hold(length);
    return this.#cut(Math.min(length, this.#held.length));
  }

  /** What is at hand in whole units of `unit` bytes, at most `limit`; waits only for the first unit. */
  async takeWhole(limit: number, unit: number): Promise<Buffer> {
    await this.#hold(unit);
    const ready = Math.min(limit, this.#held.length);
    return this.#cut(ready - (ready % unit));
  }

  /**
   * Everything up to and with the next `delimiter`; where the stream ends before one, what is left. Undefined, and
   * nothing taken, where the next `limit` bytes hold none.
   */
  async takeThrough(delimiter: number, limit: number): Promise<Buffer | undefined> {
    for (;;) {
      const at = this.#held.subarray(0, limit).indexOf(delimiter);
      if (at !== -1) return this.#cut(at + 1);
      if (this.#held.length >= limit) return undefined;
      if (this.#ended) return this.#cut(this.#held.length);
      await this.#hold(this.#held.length + 1);
    }
  }

  /** Passes over `length` bytes without gathering them. Answers how many there were. */
  async skip(length: number): Promise<number> {
    let left = length;
    while (left > 0) {
      const piece = await this.takeWhole(left, 1);
      if (piece.length === 0) break;
      left -= piece.length;
    }
    return length - left;
  }

  /** Lets go of the stream: an open file is closed, a child's pipe is broken. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#held = Buffer.alloc(0);
    await this.#chunks.return?.();
  }

  async #hold(length: number): Promise<void> {
    if (this.#held.length >= length) return;
    const pieces = [this.#held];
    let total = this.#held.length;
    while (total < length && !this.#ended) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#ended = true;
      else {
        pieces.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength));
        total += next.value.byteLength;
      }
    }
    this.#held = Buffer.concat(pieces, total);
  }

  #cut(length: number): Buffer {
    const piece = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return piece;
  }
}
