/** One life of the recognizer process: it loads, answers one question at a time, and dies once. */
import type { ChildProcess } from 'node:child_process';
import { type Deferred, deferred } from '../deferred.ts';
import type { Recognition, Utterance } from '../events.ts';
import { exitCodeByFault, Fault, type FaultCode } from '../faults.ts';
import type {
  FromChild,
  LoadedModel,
  RecognizerSetup,
  ToChild,
  UtteranceSettings,
  WireFault,
} from './messages.ts';

/** The process went away before it answered; `fault` says how. */
export class ChildLost extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

function fromWire({ code, message, hint }: WireFault): Fault {
  return new Fault(code in exitCodeByFault ? (code as FaultCode) : 'INTERNAL', message, hint);
}

export class Child {
  readonly #process: ChildProcess;
  readonly #loaded: Deferred<LoadedModel> = deferred();
  readonly #lost: Deferred<Fault> = deferred();
  readonly #onLost: () => void;
  readonly #loadTimer: NodeJS.Timeout;
  #jobs = 0;
  #pending: { readonly job: number; readonly answer: Deferred<Recognition> } | undefined;
  #end: Fault | undefined;
  /** Set by whoever kills it, so that the reason is told instead of "SIGKILL". */
  #killedFor: Fault | undefined;

  /**
   * Looks after `process` from now on. `onLost` is called once, before anyone who waits for an answer learns that
   * there will be none.
   */
  constructor(process: ChildProcess, setup: RecognizerSetup, loadDeadlineMs: number, onLost: () => void) {
    this.#onLost = onLost;
    this.#process = process;
    this.#loadTimer = setTimeout(() => {
      const hint = 'is the machine overloaded? a first start compiles the model, later ones do not';
      this.kill(new Fault('RECOGNIZER_TIMEOUT', `model not loaded after ${loadDeadlineMs} ms`, hint));
    }, loadDeadlineMs);
    this.#process.on('message', (message: FromChild) => this.#hear(message));
    this.#process.on('error', (error) => this.#die(error.message));
    this.#process.on('exit', (code, signal) => this.#die(signal ?? `exit code ${code}`));
    this.#send({ type: 'load', setup });
  }

  /** Resolves when the model is loaded; rejects with the fault if the process ends before that. */
  get loaded(): Promise<LoadedModel> {
    return this.#loaded.promise;
  }

  /** Resolves with how it ended. */
  get lost(): Promise<Fault> {
    return this.#lost.promise;
  }

  get pid(): number | undefined {
    return this.#end === undefined ? this.#process.pid : undefined;
  }

  kill(reason: Fault): void {
    this.#killedFor ??= reason;
    this.#process.kill('SIGKILL');
  }

  /** Rejects with `ChildLost` if the process ends first, with a `Fault` if the samples are at fault. */
  async transcribe({ samples, language }: Utterance, deadlineMs: number): Promise<Recognition> {
    if (this.#end !== undefined) throw new ChildLost(this.#end);
    const job = ++this.#jobs;
    const answer = deferred<Recognition>();
    this.#pending = { job, answer };
    const timer = setTimeout(() => {
      const hint = 'a smaller model or more threads may help; see `harkd bench`';
      this.kill(new Fault('RECOGNIZER_TIMEOUT', `no answer after ${Math.round(deadlineMs)} ms`, hint));
    }, deadlineMs);
    this.#send({ type: 'transcribe', job, samples, language });
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Counts for what it is asked from now on. */
  adjust(settings: UtteranceSettings): void {
    this.#send({ type: 'adjust', settings });
  }

  /** Closing the channel is the child's sign to end; one that does not listen is killed. */
  async close(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#killedFor ??= new Fault('RECOGNIZER_CRASHED', 'recognizer closed', 'the daemon is stopping');
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 1000);
    await this.lost;
    clearTimeout(timer);
  }

  #hear(message: FromChild): void {
    switch (message.type) {
      case 'loaded':
        clearTimeout(this.#loadTimer);
        this.#loaded.resolve(message.model);
        return;
      case 'load-failed':
        this.kill(fromWire(message.fault));
        return;
      case 'recognized':
        this.#take(message.job)?.resolve(message.recognition);
        return;
      case 'failed':
        this.#take(message.job)?.reject(fromWire(message.fault));
        return;
      default:
        message satisfies never;
    }
  }

  #take(job: number): Deferred<Recognition> | undefined {
    const pending = this.#pending;
    if (pending?.job !== job) return undefined;
    this.#pending = undefined;
    return pending.answer;
  }

  #die(how: string): void {
    if (this.#end !== undefined) return;
    clearTimeout(this.#loadTimer);
    const hint =
      'it is started again by itself; if it keeps ending, run `harkd transcribe` on a file to see why';
    this.#end = this.#killedFor ?? new Fault('RECOGNIZER_CRASHED', `recognizer process ended: ${how}`, hint);
    this.#onLost();
    this.#loaded.reject(this.#end);
    this.#pending?.answer.reject(new ChildLost(this.#end));
    this.#pending = undefined;
    this.#lost.resolve(this.#end);
  }

  #send(message: ToChild): void {
    // a send to a child that just died fails; its exit event settles everything
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }
}
