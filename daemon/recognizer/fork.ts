/** The operating system's half of the recognizer process: it runs, and has not been told what to load yet. */
import { type ChildProcess, fork } from 'node:child_process';

/** Little is kept on V8's heap there; what tensors leave outside of it is collected by hand (process.ts). */
const memoryFlags = ['--max-semi-space-size=1', '--expose-gc'];

/** `environment` is its whole environment. It ends when its channel is closed. */
export function forkRecognizer(environment: NodeJS.ProcessEnv): ChildProcess {
  const child = fork(new URL('./process.js', import.meta.url), {
    serialization: 'advanced',
    execArgv: [...process.execArgv, ...memoryFlags],
    // glibc keeps what each thread has freed to itself: 3 MB here, where one thread does nearly everything
    env: { MALLOC_ARENA_MAX: '1', ...environment, ORT_DISABLE_TELEMETRY: '1' },
    // what native code prints belongs on stderr with our log; stdout is the command's
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  // one that could not be started, before anybody looks after it: it has no process id, which child.ts sees
  child.on('error', () => undefined);
  return child;
}
