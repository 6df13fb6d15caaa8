/** A way to run a Whisper, as the measuring process sees it. */
import type { Memory } from './memory.ts';

export type Heard = {
  readonly text: string;
  /** Undefined where the peer does not say. */
  readonly tokens: number | undefined;
  /** Parts of the whole in milliseconds, where the peer says. */
  readonly stagesMs: Readonly<Record<string, number>>;
  /** What a peer in a process of its own says; taken instead of what is measured around it. */
  readonly own?: { readonly wallMs: number; readonly cpuMs: number; readonly loadMs: number };
};

export type OpenedPeer = {
  /** Mono [-1, 1] at 16 kHz. */
  readonly hear: (samples: Float32Array) => Promise<Heard>;
};

/** Where a shape's files lie: the checkpoint, and beside it what each peer wants it as. */
export type PeerFiles = {
  readonly modelDir: string;
  readonly workDir: string;
  /** With node_modules of packages that are none of ours. */
  readonly packagesDir: string;
  readonly threads: number;
};

export type Peer = {
  readonly name: string;
  /** What is special about this row. */
  readonly remark: string;
  /** Writes the files it needs, unless they are there; not measured. */
  readonly prepare: (files: PeerFiles) => Promise<void>;
  readonly open: (files: PeerFiles) => Promise<OpenedPeer>;
};

/** To the process of a peer. */
export type Order = { readonly type: 'open'; readonly peer: string; readonly files: PeerFiles } | Hear;
export type Hear = { readonly type: 'hear'; readonly samples: Float32Array };

export type Answer =
  | { readonly type: 'opened'; readonly loadMs: number; readonly memory: Memory }
  | {
      readonly type: 'heard';
      readonly heard: Heard;
      readonly wallMs: number;
      /** Processor time of the whole process, all its threads. */
      readonly cpuMs: number;
      readonly memory: Memory;
    }
  | { readonly type: 'failed'; readonly message: string };
