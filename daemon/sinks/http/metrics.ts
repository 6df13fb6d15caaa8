/** What Prometheus may ask for: docs/http.md has the table. Names follow its conventions: base units, `_total`. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DaemonEvent } from '../../events.ts';
import type { HealthMessage } from '../../mqtt-contract.ts';
import type { LatencyCounts, Reason } from './messages.ts';
import type { WatchedStatus } from './wellness.ts';

export type MetricsOptions = {
  readonly version: string;
  readonly status: () => WatchedStatus;
  readonly health: () => HealthMessage;
  readonly reasons: () => readonly Reason[];
  readonly clients: () => number;
  readonly clientsDropped: () => number;
};

export type Metrics = {
  readonly count: (event: DaemonEvent) => void;
  readonly latency: () => LatencyCounts;
  readonly contentType: string;
  readonly text: () => Promise<string>;
};

/** A person waits: below 0.3 s it feels immediate, above 3 s they have said it again. */
const latencyBoundsS = [0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30];
/** 1 is real time. */
const rtfBounds = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 3];
const watched = ['microphone', 'recognizer', 'broker'] as const;

/** prom-client throws at what is no number or goes backwards; a clock may step, and `publish` may not throw. */
const measured = (value: number): number => (Number.isFinite(value) ? Math.max(0, value) : 0);

export function metricsFor(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `harkd_${name}`, help, labelNames, registers });
  /** A gauge that is read when it is asked for; undefined or null leaves it out, for what is not known is not 0. */
  const gauge = (name: string, help: string, read: () => number | null | undefined): void => {
    new Gauge({
      name: `harkd_${name}`,
      help,
      registers,
      collect() {
        const value = read();
        if (value === undefined || value === null) this.remove();
        else this.set(value);
      },
    });
  };

  const transcripts = counter('transcripts_total', 'Final transcripts.');
  const speechS = counter('transcribed_seconds_total', 'Length of the speech behind final transcripts.');
  const empty = counter('segments_empty_total', 'Segments without text, by reason.', ['reason']);
  const dropped = counter('segments_dropped_total', 'Segments given up, by reason.', ['reason']);
  const overruns = counter('audio_overruns_total', 'Times sound was lost between the device and harkd.');
  const lostS = counter('audio_lost_seconds_total', 'Sound lost between the device and harkd.');
  const faults = counter('faults_total', 'Faults, by component and code.', ['component', 'code']);
  const restarts = counter('recognizer_restarts_total', 'Restarts of the recognizer.');
  const outboxDropped = counter('outbox_dropped_total', 'Transcripts given up before they were delivered.');
  const latencyS = new Histogram({
    name: 'harkd_latency_seconds',
    help: 'From the end of speech to its text.',
    buckets: latencyBoundsS,
    registers,
  });
  const rtf = new Histogram({
    name: 'harkd_real_time_factor',
    help: 'Time spent recognising over length of the sound.',
    buckets: rtfBounds,
    registers,
  });
  const latencyCounts = new Array<number>(latencyBoundsS.length + 1).fill(0);
  let outboxDroppedBefore = 0;
  let outboxDepth = 0;
  let levelDbfs: number | undefined;

  new Gauge({
    name: 'harkd_info',
    help: 'Always 1; what runs is in the labels.',
    labelNames: ['version', 'model', 'provider'],
    registers,
    collect() {
      const { provider } = options.status();
      this.reset();
      this.set(
        { version: options.version, model: provider?.model ?? '', provider: provider?.active ?? '' },
        1,
      );
    },
  });
  new Gauge({
    name: 'harkd_up',
    help: '1 while this part is well.',
    labelNames: ['component'],
    registers,
    collect() {
      const unwell = new Set(options.reasons().map(({ component }) => component));
      for (const component of watched) this.set({ component }, unwell.has(component) ? 0 : 1);
    },
  });
  gauge('muted', '1 while muted.', () => Number(options.status().muted));
  gauge('speaking', '1 while somebody speaks.', () => Number(options.status().speaking));
  gauge('level_dbfs', 'Level of the sound, of full scale.', () => levelDbfs);
  gauge('queue_seconds', 'Speech that waits for the recognizer.', () => options.health().queue.depthS);
  gauge('outbox_depth', 'Transcripts that wait for the broker.', () => outboxDepth);
  gauge('uptime_seconds', 'Since the start.', () => options.health().uptimeS);
  gauge('memory_bytes', 'Resident memory of harkd and its recognizer.', () => {
    const { rssMb } = options.health();
    return rssMb === null ? null : Math.round(rssMb * 1024 * 1024);
  });
  gauge('cpu_temperature_celsius', 'Of the processor.', () => options.health().cpuTempC);
  gauge('throttled', '1 while the machine slows itself down.', () => {
    const { now } = options.health().throttled;
    return now === null ? null : Number(now);
  });
  gauge('http_clients', 'Clients of /events.', options.clients);
  gauge(
    'http_clients_dropped',
    'Clients of /events that were too slow, since the start.',
    options.clientsDropped,
  );

  function count(event: DaemonEvent): void {
    switch (event.type) {
      case 'transcript': {
        const { durationMs, latencyMs, rtf: factor } = event.transcript;
        transcripts.inc();
        speechS.inc(measured(durationMs / 1000));
        latencyS.observe(measured(latencyMs / 1000));
        rtf.observe(measured(factor));
        const at = latencyBoundsS.findIndex((boundS) => latencyMs <= boundS * 1000);
        const bucket = at === -1 ? latencyBoundsS.length : at;
        latencyCounts[bucket] = (latencyCounts[bucket] ?? 0) + 1;
        return;
      }
      case 'segment-empty':
        empty.inc({ reason: event.rejected });
        return;
      case 'segment-dropped':
        dropped.inc({ reason: event.reason });
        return;
      case 'overrun':
        overruns.inc();
        lostS.inc(measured(event.lostMs / 1000));
        return;
      case 'fault':
        faults.inc({ component: event.component, code: event.code });
        return;
      case 'recognizer':
        if (event.state === 'restarting') restarts.inc();
        return;
      case 'outbox':
        outboxDepth = event.depth;
        outboxDropped.inc(measured(event.dropped - outboxDroppedBefore));
        outboxDroppedBefore = event.dropped;
        return;
      case 'level':
        levelDbfs = Number.isFinite(event.levelDbfs) ? event.levelDbfs : undefined;
        return;
      case 'microphone':
        if (event.state !== 'listening') levelDbfs = undefined;
        return;
      case 'partial':
      case 'speech-started':
      case 'speech-ended':
      case 'recovered':
      case 'provider':
      case 'queue':
      case 'broker':
      case 'mute':
      case 'reply':
      case 'settings':
      case 'ready':
        return;
      default:
        event satisfies never;
    }
  }

  return {
    count,
    latency: () => ({ boundsMs: latencyBoundsS.map((boundS) => boundS * 1000), counts: [...latencyCounts] }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
