/**
 * The half of the recognizer that supervises. The other half, process.ts, blocks its thread for as long as a graph
 * runs and may be killed by a driver, the kernel or a deadline; this half keeps the samples until the text is out,
 * starts the process again and asks again.
 */

import type { ChildProcess } from 'node:child_process';
import { type Deferred, deferred } from '../deferred.ts';
import { type Emit, type Recognition, type Recognizer, sampleRateHz, type Utterance } from '../events.ts';
import { Fault } from '../faults.ts';
import { backoffMs, sleep } from '../waiting.ts';
import { Child, ChildLost } from './child.ts';
import { forkRecognizer } from './fork.ts';
import type { LoadedModel, RecognizerSetup, UtteranceSettings } from './messages.ts';

export type RecognizerOptions = {
  readonly setup: RecognizerSetup;
  /** To be tried first, with `setup` to fall back upon: a choice that was made in an earlier run. */
  readonly trial?: RecognizerSetup | undefined;
  readonly emit: Emit;
  /** Passed to the process as its whole environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** A segment may take this long plus ten times its own length before the process is killed. */
  readonly deadlineMs: number;
  /** A first start may compile the model; it still must not hang for ever. */
  readonly loadDeadlineMs?: number;
  /** Times one segment may take the process down before it is given up: it may be the cause. */
  readonly attempts?: number;
  readonly backoff?: { readonly firstMs: number; readonly mostMs: number };
  /** A process that was started in advance, to be the first one. */
  readonly spare?: ChildProcess | undefined;
  /** When nothing was asked for so long the process ends, until `wake` or the next utterance. Left out: never. */
  readonly unloadAfterMs?: number | undefined;
};

type Trial = { readonly setup: RecognizerSetup; readonly answer: Deferred<LoadedModel> };

export type SupervisedRecognizer = Recognizer & {
  /** Resolves when the model is loaded for the first time; rejects with the fault if the operator must act first. */
  readonly loaded: Promise<LoadedModel>;
  /** Of a trial it was started with: resolves with the fault if that could not be loaded, and `setup` was. */
  readonly trialFailed: Promise<Fault>;
  /** The model that answers at present, or did last. */
  readonly model: () => LoadedModel | undefined;
  /** What counts from the next utterance on, without loading anything. */
  readonly adjust: (settings: UtteranceSettings) => void;
  /**
   * Loads another model in the place of this one, in its turn among the utterances: those asked for before are answered
   * by the old one, those after wait for the new one. There is memory for one only, so the old one ends first. Rejects
   * with the fault if the new one cannot be loaded; the old one is loaded again then.
   */
  readonly load: (setup: RecognizerSetup) => Promise<LoadedModel>;
  /** Loads the model again if it was unloaded: somebody speaks, and is going to ask. */
  readonly wake: () => void;
  /** The process id while there is one: for memory readings, and for tests that kill it. */
  readonly pid: () => number | undefined;
};

/**
 * Starts the recognizer process and keeps one running. Utterances are answered in order, one at a time.
 * `transcribe` rejects only with a `Fault`: the sound itself is at fault, it took the process down `attempts`
 * times (once, for work ahead), or the recognizer was closed.
 */
export function startRecognizer(options: RecognizerOptions): SupervisedRecognizer {
  const { emit, environment, deadlineMs } = options;
  const { loadDeadlineMs = 120_000, attempts = 3, backoff = { firstMs: 200, mostMs: 30_000 } } = options;
  const closing = new AbortController();
  const firstLoaded = deferred<LoadedModel>();
  /** The child that can be asked now, or will be. Replaced the moment a child is lost. */
  let askable: Deferred<Child> = deferred();
  let child: Child | undefined;
  /** The child, while it is loaded and alive. */
  let ready: Child | undefined;
  let model: LoadedModel | undefined;
  /** What a process that has to be started again is told. */
  let { setup } = options;
  /** Another setup, from when it is asked for until it is loaded or could not be. */
  let trial: Trial | undefined =
    options.trial === undefined ? undefined : { setup: options.trial, answer: deferred() };
  const trialFailed = deferred<Fault>();
  trial?.answer.promise.catch((fault: Fault) => trialFailed.resolve(fault));
  /** Ends the pause before a new start. */
  let hurry = new AbortController();
  /** Starts since a segment last came out well: what the back-off grows with. */
  let failuresInARow = 0;
  /** While the model is unloaded, or about to be: resolves when it is wanted again. */
  let rest: Deferred<void> | undefined;
  let idleTimer: NodeJS.Timeout | undefined;

  let { spare } = options;
  function nextProcess(): ChildProcess {
    const waiting = spare;
    spare = undefined;
    const alive = waiting?.pid !== undefined && waiting.exitCode === null && waiting.signalCode === null;
    return alive ? waiting : forkRecognizer(environment);
  }

  async function keepRunning(): Promise<void> {
    let loadedOnce = false;
    let troubled = false;
    let isPlanned = true;
    while (!closing.signal.aborted) {
      emit({ type: 'recognizer', state: loadedOnce && !isPlanned ? 'restarting' : 'loading' });
      isPlanned = false;
      const tried = trial;
      child = new Child(nextProcess(), tried?.setup ?? setup, loadDeadlineMs, () => {
        ready = undefined;
        askable = deferred();
      });
      const started = child;
      try {
        model = await started.loaded;
        if (tried !== undefined) {
          setup = tried.setup;
          trial = undefined;
          tried.answer.resolve(model);
        }
        const { requested, active, reason } = model.provider;
        emit({ type: 'provider', requested, active, reason, model: model.name, modelSha256: model.sha256 });
        if (troubled) emit({ type: 'recovered', component: 'recognizer', message: 'model loaded again' });
        troubled = false;
        loadedOnce = true;
        firstLoaded.resolve(model);
        if (started.pid !== undefined) {
          emit({ type: 'recognizer', state: 'ready' });
          ready = started;
          askable.resolve(started);
          restLater();
        }
      } catch {
        // how it ended is told by `lost`, below
      }
      const fault = await started.lost;
      if (closing.signal.aborted) break;
      if (rest !== undefined) {
        emit({ type: 'recognizer', state: 'unloaded' });
        await rest.promise;
        rest = undefined;
        isPlanned = true;
        continue;
      }
      if (trial !== undefined) {
        // it was ended to make room for another model, or is the other one and could not be loaded
        isPlanned = true;
        if (trial === tried) {
          trial = undefined;
          tried.answer.reject(fault);
        }
        continue;
      }
      // before the first success a wrong model or provider is the operator's to mend: retrying cannot help
      if (!loadedOnce && fault.exitCode === 78) {
        firstLoaded.reject(fault);
        askable.reject(fault);
        return;
      }
      if (!troubled) {
        const { code, message, hint } = fault;
        emit({ type: 'fault', component: 'recognizer', code, message, hint });
      }
      troubled = true;
      await sleep(backoffMs(failuresInARow++, backoff), AbortSignal.any([closing.signal, hurry.signal]));
    }
    const closed = new Fault('RECOGNIZER_CRASHED', 'recognizer closed', 'the daemon is stopping');
    trial?.answer.reject(closed);
    firstLoaded.reject(closed);
    askable.reject(closed);
  }
  const running = keepRunning();

  const deadlineFor = ({ samples }: Utterance): number =>
    deadlineMs + 10 * (samples.length / sampleRateHz) * 1000;

  async function ask(utterance: Utterance): Promise<Recognition> {
    for (let attempt = 1; ; attempt++) {
      rest?.resolve();
      const asked = await askable.promise;
      emit({ type: 'recognizer', state: 'busy' });
      try {
        const recognition = await asked.transcribe(utterance, deadlineFor(utterance));
        failuresInARow = 0;
        emit({ type: 'recognizer', state: 'ready' });
        return recognition;
      } catch (error) {
        // the samples are still here: ask the next child, unless this sound keeps taking children down
        if (error instanceof ChildLost && attempt < attempts) continue;
        if (error instanceof ChildLost) throw error.fault;
        emit({ type: 'recognizer', state: 'ready' });
        throw error;
      }
    }
  }

  /** Says nothing of being busy: health is for what people wait for, and this comes twice a second. */
  async function askAhead(utterance: Utterance): Promise<Recognition> {
    if (ready === undefined) {
      throw new Fault('RECOGNIZER_CRASHED', 'no recognizer process is ready', 'it is being started');
    }
    try {
      return await ready.transcribe(utterance, deadlineFor(utterance));
    } catch (error) {
      throw error instanceof ChildLost ? error.fault : error;
    }
  }

  async function load(next: RecognizerSetup): Promise<LoadedModel> {
    await firstLoaded.promise;
    const asked: Trial = { setup: next, answer: deferred() };
    trial = asked;
    hurry.abort();
    hurry = new AbortController();
    await child?.close();
    rest?.resolve();
    return asked.answer.promise;
  }

  async function unload(): Promise<void> {
    if (ready === undefined || closing.signal.aborted) return;
    rest = deferred();
    await child?.close();
  }

  let lastAnswer: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(idleTimer);
    const answer = lastAnswer.then(work);
    const done = answer.then(
      () => undefined,
      () => undefined,
    );
    lastAnswer = done;
    void done.then(() => {
      if (lastAnswer === done && ready !== undefined) restLater();
    });
    return answer;
  }

  /** From when it was loaded, somebody spoke, or all that was asked had been answered. */
  function restLater(): void {
    clearTimeout(idleTimer);
    if (options.unloadAfterMs === undefined || closing.signal.aborted) return;
    idleTimer = setTimeout(() => void inTurn(unload), options.unloadAfterMs).unref();
  }

  return {
    loaded: firstLoaded.promise,
    trialFailed: trialFailed.promise,
    model: () => model,
    pid: () => child?.pid,
    wake() {
      rest?.resolve();
      if (ready !== undefined) restLater();
    },
    adjust(settings) {
      setup = { ...setup, ...settings };
      child?.adjust(settings);
    },
    load: (next) => inTurn(() => load(next)),
    transcribe: (utterance, urgency = 'final') =>
      inTurn(() => (urgency === 'final' ? ask(utterance) : askAhead(utterance))),
    async close() {
      const isFirst = !closing.signal.aborted;
      closing.abort();
      clearTimeout(idleTimer);
      rest?.resolve();
      await child?.close();
      await running;
      if (isFirst) emit({ type: 'recognizer', state: 'closed' });
    },
  };
}
