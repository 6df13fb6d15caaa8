/** The operating system's half of the recognizer process: it runs, and has not been told what to load yet. */
import { type ChildProcess, fork } from 'node:child_process';

/**
 * Little is kept on V8's heap there; what tensors leave outside of it is collected by hand (process.ts), and given back
 * by then, not later by another thread.
 */
const memoryFlags = ['--max-semi-space-size=1', '--expose-gc', '--no-concurrent-array-buffer-sweeping'];

/**
 * Functions are optimised thirty times as late as usual. Those that go over logits still are, at their second text, but
 * nothing that loading runs through, and the compiler for it, 4 MB of Node.js, is not even read
 * (docs/bench/footprint.md). Node.js 22 ends at once where it is told so.
 */
const lateFlags = process.versions.node.startsWith('20.') ? ['--interrupt-budget=2000000'] : [];

/**
 * Of glibc, which keeps what was freed for later. An arena for each thread: 3 MB here, where one thread does nearly
 * everything. Tensors that JavaScript sees lie in pages of their own, so that none keeps what is below it.
 */
const mallocSettings = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(256 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(2 * 1024 * 1024),
};

/** `environment` is its whole environment. It ends when its channel is closed. */
export function forkRecognizer(environment: NodeJS.ProcessEnv): ChildProcess {
  const child = fork(new URL('./process.js', import.meta.url), {
    serialization: 'advanced',
    execArgv: [...process.execArgv, ...memoryFlags, ...lateFlags],
    env: { ...mallocSettings, ...environment, ORT_DISABLE_TELEMETRY: '1' },
    // what native code prints belongs on stderr with our log; stdout is the command's
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  // one that could not be started, before anybody looks after it: it has no process id, which child.ts sees
  child.on('error', () => undefined);
  return child;
}
