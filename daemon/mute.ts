/** Whether we may listen. The switch is the one owner of that state; the pipeline closes the microphone by it. */
export class MuteSwitch {
  #muted: boolean;
  #changed = new AbortController();
  readonly #onChange: (muted: boolean) => void;

  constructor(muted: boolean, onChange: (muted: boolean) => void) {
    this.#muted = muted;
    this.#onChange = onChange;
  }

  get muted(): boolean {
    return this.#muted;
  }

  /** Aborts at the next change. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  set(muted: boolean): void {
    if (muted === this.#muted) return;
    this.#muted = muted;
    const before = this.#changed;
    this.#changed = new AbortController();
    before.abort();
    this.#onChange(muted);
  }
}
