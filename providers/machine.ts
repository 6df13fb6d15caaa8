/** What Linux and the board say of themselves. Everything may be missing on some machine: then it is undefined, never 0. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export type Throttled = {
  /** The processor is being slowed down or under-supplied at this moment. */
  readonly now: boolean | undefined;
  readonly sinceBoot: boolean | undefined;
};

export type MachineReadings = {
  readonly cpuTempC: number | undefined;
  readonly throttled: Throttled;
  /** Processes that want to run, averaged over a minute. */
  readonly load: number | undefined;
  /** Resident memory of the given processes together, in 10^6 bytes; pages they share count twice. */
  readonly rssMb: number | undefined;
  readonly board: string | undefined;
};

export type MachineOptions = {
  readonly pids: readonly number[];
  /** Where `/proc` and `/sys` are; tests bring their own. */
  readonly root?: string;
  /** The answer of `vcgencmd get_throttled`, or undefined where there is no such program or permission. */
  readonly vcgencmd?: () => Promise<string | undefined>;
};

/** A hung firmware call must not hold up health. */
const vcgencmdDeadlineMs = 1000;

async function read(...names: readonly string[]): Promise<string | undefined> {
  try {
    // device-tree strings end with NUL
    return (await readFile(path.join(...names), 'utf8')).replaceAll('\0', '').trim();
  } catch {
    // absent, not permitted, or a sensor that is asleep (EAGAIN, EINVAL): not measurable
    return undefined;
  }
}

async function list(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch {
    return [];
  }
}

/**
 * Zones that sit on the processor: `cpu-thermal` (Raspberry Pi), `soc-thermal`, `bigcore0-thermal` (Rockchip),
 * `x86_pkg_temp`. ACPI's `acpitz` is the case, or a constant.
 */
const processorZone = /cpu|soc|core|pkg|package/i;

/** The hottest processor zone in degrees Celsius. Source: Documentation/driver-api/thermal/sysfs-api.rst. */
async function readTemperature(root: string): Promise<number | undefined> {
  const dir = path.join(root, 'sys/class/thermal');
  const temperatures: number[] = [];
  for (const zone of await list(dir)) {
    if (!zone.startsWith('thermal_zone') || !processorZone.test((await read(dir, zone, 'type')) ?? ''))
      continue;
    const milli = Number((await read(dir, zone, 'temp')) || Number.NaN);
    // an unconnected sensor reads 0, -273 or something absurd
    if (milli > 0 && milli < 150_000) temperatures.push(milli / 1000);
  }
  return temperatures.length === 0 ? undefined : Math.max(...temperatures);
}

/** Bits 0-3 are now, 16-19 since boot: under-voltage, frequency capped, throttled, soft temperature limit. */
function throttledFromBits(hexadecimal: string): Throttled | undefined {
  const digits = /^(?:throttled=)?(?:0x)?([0-9a-f]{1,8})$/i.exec(hexadecimal.trim())?.[1];
  if (digits === undefined) return undefined;
  const bits = Number.parseInt(digits, 16);
  return { now: (bits & 0xf) !== 0, sinceBoot: (bits & 0xf0000) !== 0 };
}

/** Raspberry Pi's kernel: `…/platform/soc/soc:firmware/get_throttled`; the first name differs between boards. */
async function readFirmwareBits(root: string): Promise<string | undefined> {
  const dir = path.join(root, 'sys/devices/platform');
  for (const soc of (await list(dir)).filter((name) => name.startsWith('soc'))) {
    for (const device of (await list(path.join(dir, soc))).filter((name) => name.endsWith('firmware'))) {
      const bits = await read(dir, soc, device, 'get_throttled');
      if (bits !== undefined) return bits;
    }
  }
  return undefined;
}

/** Mainline's raspberrypi-hwmon: 1 while the supply was too low in the last seconds. Nothing about before. */
async function readVoltageAlarm(root: string): Promise<Throttled | undefined> {
  const dir = path.join(root, 'sys/class/hwmon');
  for (const device of await list(dir)) {
    if ((await read(dir, device, 'name')) !== 'rpi_volt') continue;
    const alarm = await read(dir, device, 'in0_lcrit_alarm');
    if (alarm === '1') return { now: true, sinceBoot: true };
    if (alarm === '0') return { now: false, sinceBoot: undefined };
  }
  return undefined;
}

function askVcgencmd(): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('vcgencmd', ['get_throttled'], { timeout: vcgencmdDeadlineMs }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}

async function readThrottled(root: string, isPi: boolean, vcgencmd: NonNullable<MachineOptions['vcgencmd']>) {
  const fromKernel = throttledFromBits((await readFirmwareBits(root)) ?? '');
  if (fromKernel !== undefined) return fromKernel;
  // a program has to be started for it, so it comes second, and only where it can be
  const fromProgram = isPi ? throttledFromBits((await vcgencmd()) ?? '') : undefined;
  return fromProgram ?? (await readVoltageAlarm(root)) ?? { now: undefined, sinceBoot: undefined };
}

async function readLoad(root: string): Promise<number | undefined> {
  const first = (await read(root, 'proc/loadavg'))?.split(' ')[0];
  return first === undefined || Number.isNaN(Number(first)) ? undefined : Number(first);
}

async function readMemory(root: string, pids: readonly number[]): Promise<number | undefined> {
  let bytes: number | undefined;
  for (const pid of pids) {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(
      (await read(root, 'proc', String(pid), 'status')) ?? '',
    )?.[1];
    // a process may have ended since its number was noted
    if (kibibytes !== undefined) bytes = (bytes ?? 0) + Number(kibibytes) * 1024;
  }
  return bytes === undefined ? undefined : bytes / 1e6;
}

/** The name of the board: from the device tree (Arm), else DMI (PCs), else the processor's. */
export async function readBoard(root = '/'): Promise<string | undefined> {
  const model = await read(root, 'proc/device-tree/model');
  if (model) return model;
  const [vendor, product] = [
    await read(root, 'sys/class/dmi/id/sys_vendor'),
    await read(root, 'sys/class/dmi/id/product_name'),
  ];
  const dmi = [vendor, product].filter(Boolean).join(' ');
  if (dmi !== '') return dmi;
  return /^(?:Model|Hardware|model name)\s*:\s*(.+)$/m.exec((await read(root, 'proc/cpuinfo')) ?? '')?.[1];
}

/** Reads everything once. Never throws: what this machine does not have is undefined. */
export async function readMachine(options: MachineOptions): Promise<MachineReadings> {
  const { pids, root = '/', vcgencmd = askVcgencmd } = options;
  const board = await readBoard(root);
  const [cpuTempC, throttled, load, rssMb] = await Promise.all([
    readTemperature(root),
    readThrottled(root, board?.includes('Raspberry Pi') === true, vcgencmd),
    readLoad(root),
    readMemory(root, pids),
  ]);
  return { cpuTempC, throttled, load, rssMb, board };
}

/** A machine that is read again and again, for those who must not wait: `readings` answers the last ones. */
export type MachineWatch = { readonly readings: () => MachineReadings; readonly close: () => void };

/** Reads now and then every `intervalMs`, never twice at once. `pids` is asked anew each time: processes come and go. */
export function watchMachine(
  options: Omit<MachineOptions, 'pids'> & {
    readonly pids: () => readonly number[];
    readonly intervalMs: number;
  },
): MachineWatch {
  const { pids, intervalMs, ...rest } = options;
  let last: MachineReadings = {
    cpuTempC: undefined,
    throttled: { now: undefined, sinceBoot: undefined },
    load: undefined,
    rssMb: undefined,
    board: undefined,
  };
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  async function readOnce(): Promise<void> {
    last = await readMachine({ ...rest, pids: pids() });
    if (!closed) timer = setTimeout(readOnce, intervalMs).unref();
  }
  void readOnce();
  return {
    readings: () => last,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
