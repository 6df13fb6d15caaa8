/** Tells systemd how we are (Type=notify), by the program `systemd-notify`; where nobody listens it does nothing. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import notify from 'systemd-notify';

export type SystemdNotifier = {
  /** Start-up is over: units ordered after ours may start. */
  readonly ready: (status: string) => Promise<void>;
  /** The line that `systemctl status` shows. Cheap to call often: what follows each other quickly is sent once. */
  readonly status: (text: string) => void;
  /** We are on our way out, on purpose. */
  readonly stopping: () => Promise<void>;
};

export type SystemdOptions = {
  /** $NOTIFY_SOCKET; undefined or empty when systemd did not start us. The program finds it in its own environment. */
  readonly notifySocket: string | undefined;
  /** Told of the first failure. Whoever started us then takes us for not ready, so somebody should know. */
  readonly onTrouble: (message: string) => void;
};

/** Leaving must not wait for a systemd that does not answer: `systemd-notify` itself would wait 5 s. */
const stoppingDeadlineMs = 1000;

/** One line, and none of the length that would make a datagram fail. */
function statusLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
}

const run = promisify(execFile);

/** Makes the notifier. None of its functions throws or rejects; messages are sent one after the other. */
export function systemdNotifier({ notifySocket, onTrouble }: SystemdOptions): SystemdNotifier {
  if (notifySocket === undefined || notifySocket === '') {
    return { ready: async () => {}, status: () => {}, stopping: async () => {} };
  }
  let sending = Promise.resolve();
  let inTrouble = false;
  let shown: string | undefined;
  let wanted: string | undefined;

  function send(message: () => Promise<unknown>): Promise<void> {
    sending = sending.then(message).then(
      () => {},
      (reason: unknown) => {
        if (inTrouble) return;
        inTrouble = true;
        const why = reason instanceof Error ? reason.message : String(reason);
        onTrouble(`systemd cannot be told how we are: ${statusLine(why)}`);
      },
    );
    return sending;
  }

  async function sendStatus(): Promise<void> {
    const status = wanted;
    wanted = undefined;
    if (status === undefined || status === shown) return;
    shown = status;
    await notify({ status });
  }

  return {
    ready: (text) => {
      const status = statusLine(text);
      return send(() => {
        shown = status;
        return notify({ ready: true, status });
      });
    },
    status: (text) => {
      const alreadyQueued = wanted !== undefined;
      wanted = statusLine(text);
      if (!alreadyQueued) send(sendStatus);
    },
    stopping: () =>
      // the package has no word for it; a variable is understood by every version, `--stopping` only from 253
      send(() => run('systemd-notify', ['STOPPING=1', 'STATUS=stopping'], { timeout: stoppingDeadlineMs })),
  };
}
