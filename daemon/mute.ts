/**
 * Who closed the microphone. What a person closed, nobody else opens; what another program closed for a while (Rhasspy
 * does while it speaks), it opens again, and so may a person.
 */
export type MuteHolder = 'person' | 'hermes';

/** Whether we may listen. The switch is the one owner of that state; the pipeline closes the microphone by it. */
export class MuteSwitch {
  readonly #holders = new Set<MuteHolder>();
  #changed = new AbortController();
  readonly #onChange: (muted: boolean) => void;

  constructor(muted: boolean, onChange: (muted: boolean) => void) {
    if (muted) this.#holders.add('person');
    this.#onChange = onChange;
  }

  get muted(): boolean {
    return this.#holders.size > 0;
  }

  /** Aborts at the next change. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  set(muted: boolean, by: MuteHolder = 'person'): void {
    const wasMuted = this.muted;
    if (muted) this.#holders.add(by);
    else if (by === 'person') this.#holders.clear();
    else this.#holders.delete(by);
    if (this.muted === wasMuted) return;
    const before = this.#changed;
    this.#changed = new AbortController();
    before.abort();
    this.#onChange(this.muted);
  }
}
