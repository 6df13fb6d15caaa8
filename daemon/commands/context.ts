/** What a command may touch of the process it runs in; main.ts makes it, tests make their own. */
export type CommandContext = {
  readonly version: string;
  /** Root of the installed package: package.json, models/, dist/. */
  readonly packageDir: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Aborts when the user or systemd asks to stop. */
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
};
