/**
 * Who may know whom. docs/architecture.md says it in words; here it is held. A rule is worth its name only if it can be
 * broken, so each is tried on a file that breaks it as well as on all of ours.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { blank, type Import, parseSource, readSources, repoRoot, type Source } from './sources.ts';

type Rule = {
  readonly name: string;
  /** What is wrong with a file, if anything. */
  readonly check: (source: Source) => readonly string[];
  /** A file that breaks it, and must be found out. */
  readonly broken: readonly [file: string, text: string];
};

const under =
  (...prefixes: readonly string[]) =>
  (file: string) =>
    prefixes.some((prefix) => file.startsWith(prefix));

/** Our files that a file imports although `allowed` does not hold for them. */
function forbidden(source: Source, allowed: (file: string, imported: Import) => boolean): string[] {
  return source.imports
    .filter((imported) => imported.file !== undefined && !allowed(imported.file, imported))
    .map(({ specifier }) => `imports ${specifier}`);
}

const isTest = under('test/');
const isProgram = (file: string) => file === 'daemon/main.ts' || file.startsWith('daemon/commands/');

/** Known by everybody, so they know nobody: the words events and faults, and what is built of nothing. */
const leaves = [
  'daemon/events.ts',
  'daemon/faults.ts',
  'daemon/outbox.ts',
  'daemon/replay.ts',
  'daemon/deferred.ts',
  'daemon/waiting.ts',
];

const isWyoming = (file: string) => file === 'daemon/wyoming.ts' || file.startsWith('daemon/wyoming/');

/** What of the daemon may look into models/ and providers/: the child that recognises, the detector, and who puts them together. */
const seesModels = (file: string) =>
  isProgram(file) ||
  under('daemon/recognizer/')(file) ||
  ['daemon/vad.ts', 'daemon/hearing.ts', 'daemon/model-location.ts'].includes(file);

/** Runs when harkd is built, and not again. */
const buildOnly = ['models/build.ts', 'models/vad/bring.ts'];

/** Started by themselves: `harkd`, and what `npm run demo` shows of it. */
const mains = ['daemon/main.ts', 'daemon/demo.ts'];

/** Where harkd speaks to others than its broker: the file that does, what leads there, and who may take it. */
const doors = [
  {
    opens: 'models/store/hub.ts',
    behind: /^models\/store\/(hub|download|add-from-hub)\.ts$/,
    within: /^models\/store\//,
    command: 'daemon/commands/models.ts',
  },
  {
    opens: 'daemon/sinks/webhook/post.ts',
    behind: /^daemon\/sinks\/webhook(\/[a-z-]+)?\.ts$/,
    within: /^daemon\/sinks\/webhook(\/[a-z-]+)?\.ts$/,
    command: 'daemon/commands/webhook.ts',
  },
];

const inputOutput =
  /^node:(fs|fs\/promises|child_process|net|http|https|http2|dgram|dns|tls|cluster|worker_threads)$/;

const rules: readonly Rule[] = [
  {
    name: 'leaves import nothing',
    check: (source) =>
      leaves.includes(source.file) ? source.imports.map(({ specifier }) => `imports ${specifier}`) : [],
    broken: ['daemon/outbox.ts', "import type { Sink } from './events.ts';"],
  },
  {
    name: 'providers know vendor packages and faults, nothing above',
    check: (source) =>
      source.file.startsWith('providers/')
        ? forbidden(source, (file) => file.startsWith('providers/') || file === 'daemon/faults.ts')
        : [],
    broken: ['providers/x.ts', "import { sampleRateHz } from '../daemon/events.ts';"],
  },
  {
    name: 'models know each other, faults, and the types of the provider port',
    check: (source) =>
      source.file.startsWith('models/')
        ? forbidden(
            source,
            (file, { typeOnly }) =>
              under('models/')(file) ||
              file === 'daemon/faults.ts' ||
              (file === 'providers/provider.ts' && typeOnly),
          )
        : [],
    broken: ['models/x.ts', "import { Tensor } from '../providers/provider.ts';"],
  },
  {
    name: 'what makes text of sound and bytes of graphs does no input or output, but where a model is opened',
    check: ({ file, imports }) =>
      under('models/whisper/', 'models/graph/')(file) && file !== 'models/whisper/open.ts'
        ? imports
            .filter(({ specifier }) => inputOutput.test(specifier))
            .map(({ specifier }) => `imports ${specifier}`)
        : [],
    broken: ['models/whisper/x.ts', "import { readFileSync } from 'node:fs';"],
  },
  {
    name: 'a sink knows the leaves, the contract, its transport and its own folder',
    check: (source) => {
      if (!source.file.startsWith('daemon/sinks/')) return [];
      const own = source.file.split('/')[2]?.replace(/\.ts$/, '') ?? '';
      const known = [
        ...leaves,
        'daemon/mqtt-contract.ts',
        'daemon/broker-connection.ts',
        'daemon/broker-access.ts',
        'daemon/broker-trouble.ts',
        'daemon/address.ts',
        'daemon/listening.ts',
      ];
      return forbidden(
        source,
        (file) =>
          known.includes(file) ||
          file === `daemon/sinks/${own}.ts` ||
          file.startsWith(`daemon/sinks/${own}/`),
      );
    },
    broken: ['daemon/sinks/x.ts', "import { mqttSink } from './mqtt.ts';"],
  },
  {
    name: 'nobody imports main; only commands, which compose, import a sink',
    check: (source) =>
      forbidden(source, (file) => {
        if (file === 'daemon/main.ts') return false;
        const sinkOrFolder = file.startsWith('daemon/sinks/') && !source.file.startsWith('daemon/sinks/');
        return !sinkOrFolder || isProgram(source.file) || isTest(source.file);
      }),
    broken: ['daemon/pipeline.ts', "import { mqttSink } from './sinks/mqtt.ts';"],
  },
  {
    name: 'the Wyoming server hears, and knows nobody who publishes or configures; it is loaded when it is wanted',
    check: (source) => {
      if (isWyoming(source.file)) {
        const known = [
          ...leaves,
          'daemon/address.ts',
          'daemon/listening.ts',
          'daemon/segmenter.ts',
          'daemon/transcription.ts',
        ];
        return forbidden(
          source,
          (file) => known.includes(file) || isWyoming(file) || file.startsWith('daemon/capture/'),
        );
      }
      return forbidden(
        source,
        (file, { typeOnly, dynamic }) =>
          !isWyoming(file) || isTest(source.file) || typeOnly || (dynamic && isProgram(source.file)),
      );
    },
    broken: ['daemon/wyoming/x.ts', "import type { Config } from '../config/config.ts';"],
  },
  {
    name: 'nobody imports a command but main',
    check: (source) =>
      isProgram(source.file) || isTest(source.file)
        ? []
        : forbidden(source, (file) => !file.startsWith('daemon/commands/')),
    broken: ['daemon/status.ts', "import { run } from './commands/run.ts';"],
  },
  {
    name: 'hearing, queue, status and the rest of the daemon see neither models nor providers',
    check: (source) =>
      source.file.startsWith('daemon/') && !seesModels(source.file)
        ? forbidden(source, (file) => !under('models/', 'providers/')(file))
        : [],
    broken: ['daemon/pipeline.ts', "const whisper = await import('../models/whisper/whisper.ts');"],
  },
  {
    name: 'only providers name onnxruntime-node or koffi',
    check: ({ file, imports }) =>
      file.startsWith('providers/') || isTest(file)
        ? []
        : imports
            .filter(({ specifier }) => /^(onnxruntime-|koffi)/.test(specifier))
            .map(({ specifier }) => `imports ${specifier}`),
    broken: ['models/x.ts', "import * as ort from 'onnxruntime-node';"],
  },
  {
    name: 'vendor packages are loaded when they are needed, never with the program',
    check: ({ imports }) =>
      imports
        .filter(
          ({ specifier, typeOnly, dynamic }) =>
            /^(onnxruntime-|koffi)/.test(specifier) && !typeOnly && !dynamic,
        )
        .map(({ specifier }) => `imports ${specifier} statically`),
    broken: ['providers/x.ts', "import koffi from 'koffi';"],
  },
  {
    name: 'the outside of the house is reached from two files, each behind one command that loads it when it is asked to',
    check: ({ file, imports }) =>
      imports
        .filter((imported) => {
          if (imported.specifier === 'undici') return !doors.some(({ opens }) => opens === file);
          const door = doors.find(({ behind }) => behind.test(imported.file ?? ''));
          if (door === undefined || imported.typeOnly || door.within.test(file) || isTest(file)) return false;
          return !(file === door.command && imported.dynamic);
        })
        .map(({ specifier }) => `imports ${specifier}`),
    broken: ['daemon/sinks/http.ts', "import { posterTo } from './webhook/post.ts';"],
  },
  {
    name: 'cross-build knows nobody: it works on files, whatever is in them',
    check: (source) =>
      source.file.startsWith('cross-build/') ? forbidden(source, under('cross-build/')) : [],
    broken: ['cross-build/x.ts', "import { Fault } from '../daemon/faults.ts';"],
  },
  {
    name: 'only programs touch process.env (and providers/onnxruntime.ts, to keep it from reporting home)',
    check: ({ file, code }) =>
      [...mains, 'cross-build/pack.ts', 'providers/onnxruntime.ts'].includes(file) ||
      isTest(file) ||
      !/\bprocess\s*\.\s*env\b/.test(code)
        ? []
        : ['touches process.env'],
    broken: ['daemon/x.ts', 'const home = process.env.HOME;'],
  },
  {
    name: 'only programs end the process or set their exit code',
    check: ({ file, code }) =>
      mains.includes(file) || isTest(file) || !/\bprocess\s*\.\s*(exit\b|exitCode\s*=[^=]|abort\b)/.test(code)
        ? []
        : ['ends the process or sets its exit code'],
    broken: ['daemon/commands/x.ts', 'process.exitCode = 1;'],
  },
  {
    name: 'no file imports its way around: env and exit are not taken from node:process',
    check: ({ file, imports }) =>
      isTest(file)
        ? []
        : imports.filter(({ specifier }) => /^(node:)?process$/.test(specifier)).map(() => 'imports process'),
    broken: ['daemon/x.ts', "import { env } from 'node:process';"],
  },
  {
    name: 'no barrels, and names that say something',
    check: ({ file }) => {
      const name = path.posix.basename(file).replace(/(\.test)?\.ts$/, '');
      const says = /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name);
      const empty = /(^|-)(index|utils?|helpers?|managers?|services?|misc|common)$/.test(name);
      return says && !empty ? [] : [`is called ${name}`];
    },
    broken: ['daemon/index.ts', ''],
  },
  {
    name: 'relative imports name a file that exists, with its extension',
    check: ({ imports }) =>
      imports
        .filter(({ file }) => file !== undefined && !existsSync(path.join(repoRoot, file)))
        .map(({ specifier }) => `imports ${specifier}, which is not there`),
    broken: ['daemon/x.ts', "import { Fault } from './faults.js';"],
  },
  {
    name: 'what runs is built from dependencies that are installed with it',
    check: ({ file, imports }) =>
      imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier))
        .filter(
          (specifier) => !packagesOf(isTest(file) || buildOnly.includes(file)).has(packageName(specifier)),
        )
        .map((specifier) => `imports ${specifier}, which package.json does not list`),
    broken: ['daemon/x.ts', "import { suite } from 'uvu';"],
  },
  {
    name: 'what only the build needs is known to the build',
    check: (source) =>
      isTest(source.file) || buildOnly.includes(source.file)
        ? []
        : forbidden(source, (file) => !buildOnly.includes(file)),
    broken: ['models/x.ts', "import { bringVad } from './vad/bring.ts';"],
  },
  {
    name: 'builtin modules are named with node:',
    check: ({ imports }) =>
      imports
        .filter(({ specifier }) => isBuiltin(specifier) && !specifier.startsWith('node:'))
        .map(({ specifier }) => `imports ${specifier}`),
    broken: ['daemon/x.ts', "import fs from 'fs';"],
  },
];

const manifest = JSON.parse(readFileSync(path.join(repoRoot, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function packagesOf(test: boolean): Set<string> {
  const { dependencies, devDependencies } = manifest;
  return new Set(Object.keys(test ? { ...dependencies, ...devDependencies } : dependencies));
}

const folders = ['daemon', 'providers', 'models', 'cross-build', 'test'].filter((folder) =>
  existsSync(path.join(repoRoot, folder)),
);
const sources = readSources(folders);

const parsing = suite('reading sources');

parsing('finds every kind of import', () => {
  const { imports } = parseSource(
    'daemon/x/y.ts',
    [
      "import a, { b as c } from './a.ts';",
      "import type { T } from '../t.ts';",
      "import {\n  one,\n  type Two,\n} from 'many';",
      "import 'effect';",
      "import json from './z.json' with { type: 'json' };",
      "export { d } from './d.ts';",
      "export * from './e.ts';",
      "const f = await import('./f.ts');",
      "// import no from './comment.ts';",
      "\"import no from './string.ts'; import('./string.ts')\";",
      "/* import no from './block.ts'; */",
    ].join('\n'),
  );
  assert.equal(
    imports.map(({ specifier, file, typeOnly, dynamic }) => [specifier, file, typeOnly, dynamic]),
    [
      ['./a.ts', 'daemon/x/a.ts', false, false],
      ['../t.ts', 'daemon/t.ts', true, false],
      ['many', undefined, false, false],
      ['effect', undefined, false, false],
      ['./z.json', 'daemon/x/z.json', false, false],
      ['./d.ts', 'daemon/x/d.ts', false, false],
      ['./e.ts', 'daemon/x/e.ts', false, false],
      ['./f.ts', 'daemon/x/f.ts', false, true],
    ],
  );
});

parsing('sees code, not comments or strings', () => {
  // `$<` stands for the opening of a placeholder, which the linter takes for a slip in a plain string
  const seen = (text: string) => /process\.env/.test(blank(text.replaceAll('$<', '$' + '{'), false));
  for (const text of [
    '// process.env',
    '/* process.env\n process.env */',
    "'process.env'",
    '"a \\" process.env"',
    '`process.env $<1} process.env`',
    '`$<`process.env`} process.env`',
    'const r = /process.env/;',
    'const r = /["\'`]/; // process.env',
    'x = a / b; // process.env / c',
  ]) {
    assert.not(seen(text), text);
  }
  for (const text of [
    'process.env',
    'x; // no\nprocess.env',
    '`a $<process.env} b`',
    '`$<`$<process.env}`}`',
    '`$<{ a: 1 }.a}` + process.env',
    '/[/\'"]/.test(x); process.env',
    'a / process.env / b',
    "'\\''; process.env",
  ]) {
    assert.ok(seen(text), text);
  }
});

parsing.run();

const architecture = suite('architecture');

architecture('has sources to look at', () => {
  for (const folder of folders)
    assert.ok(
      sources.some(({ file }) => file.startsWith(`${folder}/`)),
      folder,
    );
  assert.ok(sources.length > 40, `only ${sources.length} files were found`);
  // were the parser blind, every rule would hold
  assert.ok(sources.filter(({ imports }) => imports.length > 0).length > sources.length / 2);
});

for (const { name, check, broken } of rules) {
  architecture(name, () => {
    const problems = sources.flatMap((source) => check(source).map((problem) => `${source.file} ${problem}`));
    assert.equal(problems, []);
    assert.ok(check(parseSource(...broken)).length > 0, 'the rule does not notice a file that breaks it');
  });
}

/** A file that reaches itself by imports that run, as a path; or undefined. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (file: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const cycle = walk(next, [...trail, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = walk(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Imports that run when the file is loaded. */
function loadedWith({ imports }: Source): string[] {
  return imports.flatMap(({ file, typeOnly, dynamic }) =>
    typeOnly || dynamic || file === undefined ? [] : [file],
  );
}

const graph = new Map(sources.map((source) => [source.file, loadedWith(source)]));

architecture('no file imports itself by way of others', () => {
  assert.is(cycleIn(graph), undefined);
  assert.equal(
    cycleIn(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ),
    ['b', 'c', 'b'],
  );
});

architecture('main loads no command, model, vendor or broker before it knows which is wanted', () => {
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const next of graph.get(file) ?? []) load(next);
  };
  load('daemon/main.ts');
  const packages = sources
    .filter(({ file }) => loaded.has(file))
    .flatMap(({ imports }) => imports)
    .filter(({ specifier, dynamic, typeOnly }) => !dynamic && !typeOnly && !specifier.startsWith('.'))
    .map(({ specifier }) => packageName(specifier))
    .filter((name) => !isBuiltin(name));
  assert.equal(
    [...new Set(packages)],
    sources.some(({ file }) => file === 'daemon/main.ts') ? ['yargs'] : [],
  );
  assert.not([...loaded].some(under('daemon/commands/', 'daemon/sinks/', 'models/', 'providers/')));
});

architecture.run();

const tests = suite('tests');
const suiteNames = /\bconst (\w+) = suite[<(]/g;

/** Suites of a test program that never run, and tests in files the runner does not look at. */
function sleepingTests({ file, code }: Source): string[] {
  const names = [...code.matchAll(suiteNames)].map(([, name]) => name ?? '');
  if (names.length > 0 && !file.endsWith('.test.ts'))
    return [`${file} has tests, but is not called *.test.ts`];
  if (names.length === 0 && file.endsWith('.test.ts')) return [`${file} has no suite`];
  return names
    .filter((name) => {
      const run = new RegExp(`^ *(if \\(.*\\) |else )?${name}\\.run\\(\\);`, 'm').exec(code);
      // one that runs only where it can must say so where it cannot
      return run === null || (run[1] !== undefined && !code.includes('announceSkip('));
    })
    .map((name) => `${file} never runs ${name}`);
}

tests('every suite is run, in a file the runner looks at', () => {
  assert.equal(sources.filter(({ file }) => isTest(file)).flatMap(sleepingTests), []);
  assert.is(sleepingTests(parseSource('test/x.test.ts', "const a = suite('a');\n// a.run();")).length, 1);
  assert.is(sleepingTests(parseSource('test/x.test.ts', "const a = suite('a');\nif (b) a.run();")).length, 1);
  assert.is(sleepingTests(parseSource('test/x.ts', "const a = suite('a');\na.run();")).length, 1);
  assert.is(sleepingTests(parseSource('test/x.test.ts', '')).length, 1);
});

tests('no test is left alone by .only or put to sleep by .skip', () => {
  const lonely = /\b\w+\s*\.\s*(only|skip)\(/;
  const found = sources.filter(({ file, code }) => file.endsWith('.test.ts') && lonely.test(code));
  assert.equal(
    found.map(({ file }) => file),
    [],
  );
  assert.match("test.only('x', () => {});", lonely);
});

tests('what the runner finds in dist is what stands in test', () => {
  const compiled = readdirSync(path.join(repoRoot, 'dist/test'), { recursive: true, encoding: 'utf8' });
  const found = compiled
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => `test/${file.replace(/\.js$/, '.ts')}`);
  const written = sources.map(({ file }) => file).filter((file) => file.endsWith('.test.ts'));
  const hint = 'dist is stale: rm -r dist && npm run build';
  assert.equal(found.sort(), written, hint);
});

tests.run();
