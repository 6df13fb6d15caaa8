#!/usr/bin/env node
/**
 * The command line: argv to a command, signals to an abort, faults to an exit code.
 * The only file that knows every name, reads the environment and ends the process.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import type { CommandContext } from './commands/context.ts';
import type { ModelsArguments } from './commands/models.ts';
import { Fault, toFault } from './faults.ts';

// Before anything can load onnxruntime, whose Linux builds report home unless told not to; children inherit it.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

// New objects get 1 MB and not up to 16, twice: frames and messages live for milliseconds, and the memory of a small
// board is better spent on models. Resident memory of the daemon: 148 MB before, 119 after (docs/bench/footprint.md).
setFlagsFromString('--semi-space-growth-factor=1');

const packageDir = path.join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
  version: string;
};

const stop = new AbortController();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    // the second time, whoever asks is in a hurry
    if (stop.signal.aborted) process.exit(code);
    stop.abort(signal);
  });
}
// `harkd transcribe … | head` is not an error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const context: CommandContext = {
  version,
  packageDir,
  environment: process.env,
  signal: stop.signal,
  write: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
  stdin: process.stdin,
  stdoutIsTty: process.stdout.isTTY === true,
  stderrIsTty: process.stderr.isTTY === true,
};

/** Each line says `error CODE: message`, then what to do; a stack only for those who ask. */
function report(thrown: unknown, verbose: boolean): number {
  const fault = toFault(thrown);
  const lines = [`error ${fault.code}: ${fault.message}`];
  if (fault.hint !== '') lines.push(`hint: ${fault.hint}`);
  if (verbose) lines.push((fault.cause instanceof Error ? fault.cause.stack : fault.stack) ?? '');
  process.stderr.write(`${lines.join('\n')}\n`);
  return fault.exitCode;
}

const configOption = {
  config: { type: 'string', describe: 'configuration file (YAML)', requiresArg: true },
} as const;
const modelOptions = {
  model: { type: 'string', describe: 'model name, or folder of a model', requiresArg: true },
  provider: { type: 'string', describe: 'what runs the graphs: auto, cpu', requiresArg: true },
  threads: { type: 'number', describe: 'threads for the recognizer', requiresArg: true },
} as const;

let exitCode = 0;
const parser = yargs(hideBin(process.argv))
  .scriptName('harkd')
  .usage('$0 <command>\n\nHears, and tells your MQTT broker what was said. Nothing leaves the device.')
  .version(version)
  .option('verbose', {
    type: 'boolean',
    default: false,
    describe: 'stack traces and debug logs',
    global: true,
  })
  .command(
    'run',
    'the daemon: listen, recognise, publish over MQTT',
    (y) =>
      y
        .options({
          ...configOption,
          source: {
            type: 'string',
            describe: 'alsa, alsa:PCM, file:PATH or stdin (raw S16_LE 16 kHz mono, or WAV)',
            requiresArg: true,
          },
          broker: {
            type: 'string',
            describe: 'mqtt://host:1883, mqtts://…, ws://…, or embedded',
            requiresArg: true,
          },
          http: {
            type: 'string',
            describe: 'captions, status and metrics on HOST:PORT; off loopback it needs a token',
            requiresArg: true,
          },
          wyoming: {
            type: 'string',
            describe:
              "speech to text for Home Assistant's Assist on HOST:PORT; off loopback: wyoming.allowLan",
            requiresArg: true,
          },
          ...modelOptions,
          pace: { choices: ['realtime', 'fast'] as const, describe: 'how fast a file is played' },
          once: {
            type: 'boolean',
            default: false,
            describe: 'exit when the source has ended and all is delivered',
          },
        })
        .example('$0 run', 'the default microphone, the embedded broker')
        .example(
          '$0 run --source alsa:plughw:CARD=Device --broker mqtt://homeassistant.local',
          'a USB microphone',
        )
        .example('$0 run --source file:kitchen.wav --pace fast --once', 'a recording, as fast as it goes'),
    async (argv) => {
      // a process takes as long to start as this program takes to load: both at once
      const { forkRecognizer } = await import('./recognizer/fork.ts');
      const recognizerProcess = forkRecognizer(process.env);
      try {
        exitCode = await (await import('./commands/run.ts')).run(argv, context, recognizerProcess);
      } finally {
        // of no use where the configuration is wrong: without its channel it ends
        if (recognizerProcess.connected) recognizerProcess.disconnect();
      }
    },
  )
  .command(
    'transcribe <files..>',
    'audio files to text',
    (y) =>
      y
        .positional('files', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'WAV; others through ffmpeg',
        })
        .options({
          ...configOption,
          format: { choices: ['text', 'json', 'srt', 'vtt'] as const, default: 'text' as const },
          json: { type: 'boolean', default: false, describe: 'the same as --format json' },
          output: {
            type: 'string',
            describe: 'file to write, or folder for several; interrupted, the same command goes on',
            requiresArg: true,
          },
          language: { type: 'string', describe: 'language spoken (en, de, …)', requiresArg: true },
          'key-term': {
            type: 'string',
            describe: 'a name or word to expect; may be given several times',
            requiresArg: true,
          },
          words: {
            type: 'boolean',
            default: false,
            describe: 'with --format json: when each word was said',
          },
          'beam-size': {
            type: 'number',
            describe: 'texts followed at once; 1 takes the likeliest word each time',
            requiresArg: true,
          },
          task: { choices: ['transcribe', 'translate'] as const, describe: 'translate gives English' },
          ...modelOptions,
          vad: { type: 'boolean', default: true, describe: 'cut at pauses; --no-vad recognises everything' },
        })
        .example('$0 transcribe note.wav', 'prints the text')
        .example('$0 transcribe --format srt talk.wav > talk.srt', 'subtitles')
        .example('$0 transcribe --format srt --output subtitles/ *.wav', 'many; may be interrupted'),
    async (argv) => (await import('./commands/transcribe.ts')).transcribe(argv, context),
  )
  .command(
    'transcripts',
    'what was said, from the record a daemon keeps (record.enabled)',
    (y) =>
      y
        .options({
          ...configOption,
          format: { choices: ['text', 'json', 'srt', 'vtt'] as const, default: 'text' as const },
          json: { type: 'boolean', default: false, describe: 'the same as --format json' },
          since: {
            type: 'string',
            nargs: 1,
            describe: '-1h, -7d, 2026-11-22, "2026-11-22 18:30", …; subtitles count from there',
          },
          until: { type: 'string', nargs: 1, describe: 'the same kind of time' },
          limit: { type: 'string', describe: 'only the last so many of these', requiresArg: true },
          output: { type: 'string', describe: 'file to write', requiresArg: true },
          clear: { type: 'boolean', default: false, describe: 'delete the whole record' },
          yes: { type: 'boolean', default: false, describe: 'do not ask' },
        })
        .example('$0 transcripts --since -1h', 'the last hour')
        .example(
          '$0 transcripts --since 2026-11-22 --until 2026-11-23 --format srt --output day.srt',
          'a day',
        )
        .example('$0 transcripts --json --limit 1', 'what was said last, for programs')
        .example('$0 transcripts --clear --yes', 'forget everything'),
    async (argv) => (await import('./commands/transcripts.ts')).transcripts(argv, context),
  )
  .command('models', 'models: list, add, info, verify, remove, compile', (y) => {
    const store = {
      store: { type: 'string', describe: "another folder than the user's store", requiresArg: true },
      json: { type: 'boolean', default: false, describe: 'for programs' },
    } as const;
    const run = async (
      action: 'list' | 'add' | 'info' | 'verify' | 'remove',
      argv: Omit<ModelsArguments, 'action'>,
    ): Promise<void> => (await import('./commands/models.ts')).models({ ...argv, action }, context);
    const name = { type: 'string', describe: 'as harkd models list has it', demandOption: true } as const;
    return y
      .command(
        'list',
        'what is known, what is installed, and what suits which board',
        (yy) => yy.options(store),
        (argv) => run('list', argv),
      )
      .command(
        'add <name>',
        'download, check and install a model, or take one in from a folder',
        (yy) =>
          yy
            .positional('name', {
              ...name,
              describe: 'a name of the list, owner/name on the hub, or a folder',
            })
            .options({
              as: { type: 'string', describe: 'what to call it', requiresArg: true },
              revision: { type: 'string', describe: 'branch, tag or commit on the hub', requiresArg: true },
              ...store,
            })
            .example('$0 models add tiny.en', 'interrupted, the same command goes on')
            .example('$0 models add ./my-whisper', 'a checkpoint as it lies on the hub'),
        (argv) => run('add', argv),
      )
      .command(
        'info <name>',
        'where it lies, what it is, and its hashes',
        (yy) => yy.positional('name', name).options(store),
        (argv) => run('info', argv),
      )
      .command(
        'verify [name]',
        'hash every file again; all models without a name',
        (yy) => yy.positional('name', { ...name, demandOption: false }).options(store),
        (argv) => run('verify', argv),
      )
      .command(
        'remove <name>',
        'delete an installed model',
        (yy) => yy.positional('name', name).options(store),
        (argv) => run('remove', argv),
      )
      .command(
        'compile <name>',
        'graphs of a model for a processor, and how near they come to the plain ones',
        (yy) =>
          yy
            .positional('name', { ...name, describe: 'embedded, an installed model, or a folder' })
            .options({
              weights: {
                type: 'string',
                describe: 'int8, int4, fp32, or by part: int8,decoder=int4',
                requiresArg: true,
              },
              profile: {
                type: 'string',
                describe: 'kind of processor; default: this one',
                requiresArg: true,
              },
              'keep-encoder-layers': { type: 'string', describe: 'such as 0,2,4', requiresArg: true },
              'keep-decoder-layers': { type: 'string', describe: 'such as 0,3', requiresArg: true },
              'attention-window': {
                type: 'number',
                describe: 'encoder frames (20 ms) that see each other',
                requiresArg: true,
              },
              output: {
                type: 'string',
                describe: 'a folder of its own, instead of the cache',
                requiresArg: true,
              },
              compare: { type: 'boolean', default: true, describe: 'with the plain float32 graphs' },
              json: { type: 'boolean', default: false, describe: 'for programs' },
            })
            .example('$0 models compile tiny.en', 'as the daemon would at its first start')
            .example('$0 models compile small --weights int8,decoder=int4', 'by part'),
        async (argv) => (await import('./commands/models-compile.ts')).modelsCompile(argv, context),
      )
      .demandCommand(1, 'what of the models? see: harkd models --help');
  })
  .command(
    'devices',
    'microphones, by the names that survive a reboot',
    (y) =>
      y
        .options({
          json: { type: 'boolean', default: false, describe: 'for programs' },
          meter: { type: 'boolean', default: false, describe: 'live level of one microphone; Ctrl-C ends' },
          device: { type: 'string', describe: 'the microphone to meter', requiresArg: true },
        })
        .example('$0 devices', 'what can be given to --source alsa:…')
        .example('$0 devices --meter --device plughw:CARD=Device', 'does it hear me?'),
    async (argv) =>
      (await import('./commands/devices.ts')).devices({
        ...argv,
        ...context,
        isTerminal: context.stdoutIsTty,
      }),
  )
  .command(
    'bench',
    'how fast this machine is with a model',
    (y) =>
      y
        .options({
          ...configOption,
          ...modelOptions,
          rounds: {
            type: 'number',
            default: 20,
            describe: 'times the sound is recognised',
            requiresArg: true,
          },
          json: { type: 'boolean', default: false, describe: 'for programs' },
        })
        .example('$0 bench', 'the embedded model, as configured')
        .example('$0 bench --model ./whisper-base.en --threads 4', 'is this board fast enough for it?'),
    async (argv) => (await import('./commands/bench.ts')).bench(argv, context),
  )
  .command(
    'config <action>',
    'check, print or describe the configuration',
    (y) =>
      y
        .positional('action', { choices: ['check', 'print', 'schema'] as const, demandOption: true })
        .options(configOption)
        .option('json', { type: 'boolean', default: false, describe: 'print as JSON' })
        .example('$0 config check --config harkd.yaml', 'every problem at once')
        .example('$0 config print', 'what is in effect; secrets hidden'),
    async (argv) => (await import('./commands/config.ts')).config(argv, context),
  )
  .command(
    'watch',
    'follow transcripts and health of every harkd on a broker',
    (y) =>
      y
        .options({
          ...configOption,
          broker: { type: 'string', describe: 'broker to watch', requiresArg: true },
          username: { type: 'string', requiresArg: true },
          site: { type: 'string', default: '+', describe: 'one site only', requiresArg: true },
          json: { type: 'boolean', default: false, describe: 'one JSON object a line' },
        })
        .example('$0 watch', 'the broker of the configuration, else the embedded one of this machine')
        .example(
          '$0 watch --broker mqtt://homeassistant.local',
          'all sites; HARKD_MQTT_PASSWORD if it needs one',
        ),
    async (argv) => (await import('./commands/watch.ts')).watchCommand(argv, context),
  )
  .command(
    'mqtt <action>',
    'clean: remove what a daemon that is gone has left on the broker, and in Home Assistant',
    (y) =>
      y
        .positional('action', { choices: ['clean'] as const, demandOption: true })
        .options({
          ...configOption,
          broker: { type: 'string', describe: 'broker to clean', requiresArg: true },
          username: { type: 'string', requiresArg: true },
          site: { type: 'string', describe: 'site that is gone', requiresArg: true },
          dryRun: { type: 'boolean', default: false, describe: 'list what is retained, remove nothing' },
          yes: { type: 'boolean', default: false, describe: 'do not ask' },
        })
        .example('$0 mqtt clean --site kitchen --dry-run', 'what is there?')
        .example('$0 mqtt clean --site kitchen', 'lists it, asks, removes it'),
    async (argv) => (await import('./commands/mqtt-clean.ts')).mqttClean(argv, context),
  )
  .demandCommand(1, 'which command? see: harkd --help')
  .strict()
  .recommendCommands()
  .wrap(Math.min(100, process.stdout.columns ?? 100))
  .fail((message, error) => {
    throw error ?? new Fault('USAGE_INVALID', message, 'see: harkd --help');
  })
  .exitProcess(false);

try {
  await parser.parseAsync();
} catch (thrown) {
  exitCode = report(thrown, process.argv.includes('--verbose'));
}
process.exitCode = exitCode;
// Everything is closed by now; a handle that somebody forgot must not keep a finished command alive.
setTimeout(() => process.exit(exitCode), 2000).unref();
