/** `harkd run`: the daemon. Puts the parts together, and takes them apart again in the opposite order. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { availableParallelism, totalmem } from 'node:os';
import { watchMachine } from '../../providers/machine.ts';
import type { EmbeddedBroker } from '../broker.ts';
import { accessOf } from '../broker-access.ts';
import { knownPcms } from '../capture/known-pcms.ts';
import { choicesFile, choicesPathOf } from '../choices.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { createControls, takeUpChoices } from '../controls.ts';
import type { Emit, Sink } from '../events.ts';
import { Fault, type FaultCode } from '../faults.ts';
import { createSegmenterFor, openVad } from '../hearing.ts';
import { createLog } from '../log.ts';
import { locateModel, modelNames } from '../model-location.ts';
import { MuteSwitch } from '../mute.ts';
import { outboxFor } from '../outbox-for.ts';
import { listen } from '../pipeline.ts';
import { SegmentQueue } from '../queue.ts';
import { recentFaults } from '../recent-faults.ts';
import { startRecognizer } from '../recognizer/client.ts';
import { recognitionSettings } from '../recognizer/settings.ts';
import { shareRecognizer } from '../recognizer/shared.ts';
import { selfTest } from '../self-test.ts';
import { logSink } from '../sinks/log.ts';
import { fold, healthPayload, infoPayload, initialStatus, statusLine } from '../status.ts';
import { systemdNotifier } from '../systemd.ts';
import { untilAborted } from '../waiting.ts';
import type { WyomingServer } from '../wyoming.ts';
import type { CommandContext } from './context.ts';
import { keepRecord } from './keep-record.ts';
import { requestsFor } from './requests.ts';
import {
  aheadBy,
  brokerFor,
  cardInUse,
  lookAroundWith,
  shippedRecording,
  sourceFor,
  wakenBySpeech,
} from './run-parts.ts';
import { openWebPage } from './web-page.ts';
import { openWebhook, type Webhook } from './webhook.ts';
import { openWyomingServer } from './wyoming-server.ts';

export type RunArguments = {
  readonly config?: string | undefined;
  readonly source?: string | undefined;
  readonly broker?: string | undefined;
  readonly http?: string | undefined;
  readonly wyoming?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly threads?: number | undefined;
  readonly pace?: 'realtime' | 'fast' | undefined;
  readonly once: boolean;
  readonly verbose: boolean;
};

/** Once we are asked to stop, the time to recognise what was heard, and then to deliver it. systemd gives 90 s. */
const finishDeadlineMs = 10_000;
const deliverDeadlineMs = 5_000;
/** With --once nobody waits at a prompt: there is time for a broker that is being restarted. */
const deliverOnceDeadlineMs = 60_000;
/** Not 0, or a supervisor that restarts on failure only would leave it at that: EX_TEMPFAIL, "try again". */
const restartExitCode = 75;
/** A file played fast waits for the recognizer while this much speech is ahead of it. */
const waitAboveS = 20;

/**
 * Runs until it is asked to stop or, with `once`, until the source has ended and all is delivered.
 * `recognizerProcess` was started in advance; it is closed with the recognizer. Answers the exit code.
 * Throws `Fault`: what the operator must mend before it can start, or what could not be delivered at the end.
 */
export async function run(
  argv: RunArguments,
  context: CommandContext,
  recognizerProcess?: ChildProcess,
): Promise<number> {
  const configInput = {
    path: argv.config,
    environment: context.environment,
    overrides: {
      source: argv.source,
      model: argv.model,
      provider: argv.provider,
      threads: argv.threads,
      mqtt: { url: argv.broker },
      http: { listen: argv.http },
      wyoming: { listen: argv.wyoming },
      log: { level: argv.verbose ? 'debug' : undefined },
    },
  } as const;
  const configured = loadConfig(configInput);
  const log = createLog({
    ...configured.log,
    isTty: context.stderrIsTty,
    noColor: (context.environment['NO_COLOR'] ?? '') !== '',
    write: context.writeError,
  });
  const systemd = systemdNotifier({
    notifySocket: context.environment['NOTIFY_SOCKET'],
    onTrouble: (message) => log('warn', message),
  });
  const setupOf = (config: Config) => ({
    ...locateModel(config.model, context.packageDir, context.environment),
    ...recognitionSettings(config),
    threads: config.threads,
  });
  const setup = setupOf(configured);
  const kept = {
    choicesFile: choicesFile(choicesPathOf(configured), (message, hint) => log('warn', message, { hint })),
    setupOf,
    warn: (message: string, hint: string) => log('warn', message, { hint }),
  };
  const { config, choices, trial } = takeUpChoices(configured, kept);
  const chosenKeys = Object.keys(choices);
  if (chosenKeys.length > 0) log('info', `as chosen over MQTT before: ${chosenKeys.join(', ')}`);
  const bootId = randomBytes(6).toString('hex');

  // everything that happens passes here: the status first, so that whoever is told next can read it
  let status = initialStatus;
  const faults = recentFaults();
  const sinks: Sink[] = [logSink(log), faults];
  let saidReady = false;
  const emit: Emit = (event) => {
    status = fold(status, event);
    for (const sink of sinks) sink.publish(event);
    systemd.status(statusLine(status));
    if (!saidReady && status.microphone.state === 'listening' && status.recognizer.state === 'ready') {
      saidReady = true;
      emit({ type: 'ready', sinceStartMs: Math.round(performance.now()) });
    }
  };

  // the slowest part first: it loads in its own process while the others open here
  const recognizer = startRecognizer({
    setup,
    trial,
    emit,
    environment: context.environment,
    deadlineMs: config.recognizer.deadlineMs,
    loadDeadlineMs: config.recognizer.loadDeadlineMs,
    attempts: config.recognizer.attempts,
    unloadAfterMs: config.recognizer.unloadAfterS > 0 ? config.recognizer.unloadAfterS * 1000 : undefined,
    spare: recognizerProcess,
  });
  const controls = createControls({
    ...{ ...kept, configured, config, choices, recognizer },
    readConfig: () => loadConfig(configInput),
    models: () => modelNames(context.environment),
    microphones: () => knownPcms(context.environment),
    onChange: (settings) => emit({ type: 'settings', ...settings }),
    tell: (message) => log('info', message),
  });
  const machine = watchMachine({
    pids: () => [process.pid, recognizer.pid()].filter((pid) => pid !== undefined),
    intervalMs: (config.mqtt.healthIntervalS * 1000) / 2,
  });
  const { outbox, keptIn, announce: announceOutbox } = await outboxFor(config, emit);
  const unloadable = new AbortController();
  // systemd sets it for the units it looks after, and no login shell has it
  const isSupervised = Boolean(context.environment['NOTIFY_SOCKET']);
  const restart = new AbortController();
  const stop = AbortSignal.any([context.signal, unloadable.signal, restart.signal]);
  const giveUp = new AbortController();
  void untilAborted(stop).then(() => setTimeout(() => giveUp.abort(), finishDeadlineMs).unref());
  void untilAborted(giveUp.signal).then(() => recognizer.close());
  let broker: EmbeddedBroker | undefined;
  let webhook: Webhook | undefined;
  const shared = shareRecognizer(recognizer);
  let wyoming: WyomingServer | undefined;

  const health = () =>
    healthPayload(status, machine.readings(), { bootId, nowMs: Date.now(), uptimeS: process.uptime() });

  const info = () =>
    infoPayload(status, {
      version: context.version,
      // by the clock of now: a board without one of its own may have started in 1970
      startedAtMs: Math.round(Date.now() / 1000 - process.uptime()) * 1000,
      machine: { ...machineFacts, board: machine.readings().board },
      config: controls.config(),
    });

  async function hear(): Promise<void> {
    const mute = new MuteSwitch(false, (muted) => emit({ type: 'mute', muted }));
    // loaded while the recognizer process starts: a third of all that this command loads
    const { mqttSink } = await import('../sinks/mqtt.ts');
    broker = await brokerFor(config, log);
    sinks.push(
      mqttSink({
        url: broker?.url ?? config.mqtt.url,
        base: config.mqtt.baseTopic,
        ...accessOf(config.mqtt),
        clientId: config.mqtt.clientId,
        healthIntervalS: config.mqtt.healthIntervalS,
        keepaliveS: config.mqtt.keepaliveS,
        willDelayS: config.mqtt.willDelayS,
        bootId,
        outbox,
        emit,
        health,
        homeAssistant: {
          ...config.homeAssistant,
          device: () => ({
            version: context.version,
            model: machine.readings().board,
            area: config.homeAssistant.area,
            offered: controls.offered(),
            endThreshold: controls.config().vad.endThreshold,
            canRestart: isSupervised,
          }),
        },
        info,
        hermes: config.hermes.enabled ? config.hermes : undefined,
        homie: config.homie.enabled ? config.homie : undefined,
        onMute: (muted, by) => mute.set(muted, by),
        settings: controls.settings(),
        onSet: controls.set,
        requests: requestsFor({
          controls,
          isSupervised,
          restart: () => restart.abort(),
          selfTest: selfTest({
            recording: shippedRecording(context.packageDir),
            recognizer,
            status: () => status,
          }),
          info,
          health,
          faults: faults.list,
        }),
        onRepaired: (topics) =>
          log('warn', `said again, since it was not on the broker as we had said it: ${topics.join(', ')}`, {
            hint: 'somebody else writes there: an earlier client id, a tool, or a second harkd with the same base topic',
          }),
        onIgnored: ({ topic, reason }) => log('warn', `command on ${topic} ignored: ${reason}`),
      }),
    );
    announceOutbox();
    const record = await keepRecord(config, emit, log);
    if (record !== undefined) sinks.push(record);
    const webPage = await openWebPage(config, {
      version: context.version,
      status: () => status,
      health,
      onMute: (muted) => mute.set(muted),
      log,
    });
    if (webPage !== undefined) sinks.push(webPage);
    webhook = await openWebhook(config, { bootId, emit, log });
    if (webhook !== undefined) sinks.push(webhook.sink);
    webhook?.outbox.announce();
    sinks.push(lookAroundWith(controls.lookAround), wakenBySpeech(recognizer.wake));
    const card = cardInUse(controls.config, (now) => setupOf(now).modelDir);
    wyoming = await openWyomingServer(controls.config, {
      context,
      card,
      recognizer,
      recognize: shared.guest,
      log,
    });
    // guests first: what was heard here has to be recognised within a deadline now
    void untilAborted(stop).then(() => wyoming?.close());
    const detectSpeech = await openVad(context.packageDir);
    // a microphone may be away for now, a model that cannot be loaded is for the operator to mend
    recognizer.loaded.then(
      () => systemd.ready(statusLine(status)),
      () => unloadable.abort(),
    );
    let segments = 0;
    await listen({
      source: sourceFor(controls.config, argv.pace ?? 'realtime', context, emit, log),
      detectSpeech,
      createSegmenter: () => createSegmenterFor(controls.config(), card(), () => `${bootId}-${++segments}`)(),
      // a model may want other silence around speech
      segmenterSettings: () => [controls.config().vad, controls.config().model],
      sourceChanged: controls.microphoneChanged,
      queue: new SegmentQueue(config.queue.capacityS),
      // who plays a file fast waits for the whole of it: words before their time would only slow it down
      ...(argv.pace === 'fast' ? { waitAboveS } : { ahead: aheadBy(controls.config) }),
      recognizer: shared.own,
      recognizerLoaded: recognizer.loaded,
      mute,
      emit,
      origin: () => ({
        model: status.provider?.model ?? controls.config().model,
        provider: status.provider?.active ?? controls.config().provider,
        microphone: status.microphone.device ?? controls.config().source,
      }),
      signal: stop,
      giveUp: giveUp.signal,
    });
    // the source has ended; a daemon stays and answers its topics, unless it was to do one thing only
    if (!argv.once) await untilAborted(stop);
    if (unloadable.signal.aborted) await recognizer.loaded;
  }

  async function takeApart(): Promise<{ readonly undelivered: number; readonly unsent: number }> {
    void systemd.stopping();
    await wyoming?.close();
    await recognizer.close();
    const deadlineMs = argv.once && !context.signal.aborted ? deliverOnceDeadlineMs : deliverDeadlineMs;
    // before the others: what an assistant answers to the last sentence is still to be published
    const unsent = await webhook?.sink.close(deadlineMs);
    const others = sinks.filter((sink) => sink !== webhook?.sink).toReversed();
    const closed = await Promise.all(others.map((sink) => sink.close(deadlineMs)));
    machine.close();
    await outbox.close();
    await webhook?.outbox.outbox.close();
    await broker?.close();
    const undelivered = closed.reduce((sum, sink) => sum + sink.undelivered, 0);
    return { undelivered, unsent: unsent?.undelivered ?? 0 };
  }

  /** What was left at the end, if anything was: where it is now, or that it is lost. */
  function leftOver(count: number, code: FaultCode, where: string, keptIn: string | undefined): void {
    if (count === 0) return;
    const message = `${count} transcripts could not be delivered to ${where} before the end`;
    const hint =
      keptIn === undefined
        ? `they were kept in memory and are lost: let harkd run while ${where} is away, it delivers them later`
        : `they are kept in ${keptIn}, and delivered when harkd runs the next time`;
    // a daemon that is stopped while the broker is away has lost nothing; who waits for one thing to be done must know
    if (keptIn === undefined || argv.once) throw new Fault(code, message, hint);
    log('warn', message, { hint });
  }

  try {
    await hear();
  } catch (fault) {
    await takeApart();
    throw fault;
  }
  const { undelivered, unsent } = await takeApart();
  leftOver(undelivered, 'BROKER_UNREACHABLE', broker?.url ?? config.mqtt.url, keptIn);
  if (webhook !== undefined) leftOver(unsent, 'WEBHOOK_UNREACHABLE', webhook.origin, webhook.outbox.keptIn);
  return restart.signal.aborted && !context.signal.aborted ? restartExitCode : 0;
}

const machineFacts = {
  arch: process.arch,
  cores: availableParallelism(),
  memoryMb: totalmem() / 1e6,
  node: process.version,
};
