/**
 * Every fault harkd can name, with the exit code a command ends with when the fault is final.
 * Codes follow sysexits(3): 64 usage, 65 bad input data, 66 input missing, 69 service or device
 * unavailable, 70 internal, 78 configuration. `docs/errors.md` documents each one; a test keeps both equal.
 */
export const exitCodeByFault = {
  USAGE_INVALID: 64,
  COMMAND_INVALID: 64,
  AUDIO_INVALID: 65,
  AUDIO_UNSUPPORTED: 65,
  HUB_ANSWER_INVALID: 65,
  WEBHOOK_ANSWER_INVALID: 65,
  WYOMING_REQUEST_INVALID: 65,
  INPUT_MISSING: 66,
  ARECORD_MISSING: 69,
  MICROPHONE_NOT_FOUND: 69,
  MICROPHONE_BUSY: 69,
  MICROPHONE_DENIED: 69,
  MICROPHONE_STALLED: 69,
  MICROPHONE_LOST: 69,
  BROKER_UNREACHABLE: 69,
  BROKER_REFUSED: 69,
  BROKER_CREDENTIALS: 69,
  BROKER_CERTIFICATE: 69,
  HUB_UNREACHABLE: 69,
  HUB_REFUSED: 69,
  STORE_BUSY: 69,
  DISK_FULL: 69,
  OUTBOX_BUSY: 69,
  OUTBOX_UNWRITABLE: 69,
  OUTBOX_DAMAGED: 69,
  RECORD_BUSY: 69,
  RECORD_UNWRITABLE: 69,
  RECORD_UNREADABLE: 69,
  OUTPUT_UNWRITABLE: 69,
  HTTP_UNAVAILABLE: 69,
  WEBHOOK_UNREACHABLE: 69,
  WEBHOOK_REFUSED: 69,
  WYOMING_UNAVAILABLE: 69,
  WYOMING_BUSY: 69,
  RECOGNIZER_CRASHED: 69,
  RECOGNIZER_TIMEOUT: 69,
  PROVIDER_UNAVAILABLE: 69,
  COMMAND_BUSY: 69,
  RESTART_REFUSED: 69,
  INTERNAL: 70,
  INTERRUPTED: 130,
  CONFIG_INVALID: 78,
  CONFIG_UNREADABLE: 78,
  PROVIDER_UNKNOWN: 78,
  STORE_UNWRITABLE: 78,
  MODEL_MISSING: 78,
  MODEL_CHECKSUM_MISMATCH: 78,
  MODEL_INVALID: 78,
  MODEL_UNSUPPORTED: 78,
  MODEL_CACHE_UNWRITABLE: 78,
} as const satisfies Record<string, number>;

export type FaultCode = keyof typeof exitCodeByFault;

/** Something the operator or the world did, never a bug: what was expected and got, and what to do next. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly hint: string;

  constructor(code: FaultCode, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Fault';
    this.code = code;
    this.hint = hint;
  }

  get exitCode(): number {
    return exitCodeByFault[this.code];
  }
}

/** The fault an unknown thrown value stands for; anything that is not a `Fault` is a bug and says so. */
export function toFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault('INTERNAL', message, 'this is a bug: please report it with the output of --verbose', {
    cause: thrown,
  });
}
