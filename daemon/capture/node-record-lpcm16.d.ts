/** The part of node-record-lpcm16 1.0.1 used here; it brings no types of its own. */
declare module 'node-record-lpcm16' {
  import type { ChildProcess } from 'node:child_process';
  import type { Readable } from 'node:stream';

  type Recording = {
    readonly process: ChildProcess;
    stream(): Readable;
    stop(): void;
  };

  const recorder: {
    /** Everything given here reaches the recorder module. */
    record(options: {
      readonly recorder: string;
      readonly sampleRate: number;
      readonly channels: number;
      readonly audioType: string;
      readonly [option: string]: unknown;
    }): Recording;
  };
  export default recorder;
}
