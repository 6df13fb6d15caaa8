import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type MachineReadings, readMachine, watchMachine } from '../../providers/machine.ts';

const folders: string[] = [];

/** A machine made of files, as path -> content. */
function machineOf(files: Record<string, string>): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'harkd-machine-'));
  folders.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

const pi4 = {
  'proc/device-tree/model': 'Raspberry Pi 4 Model B Rev 1.4\0',
  'proc/loadavg': '0.52 0.58 0.59 1/189 1234\n',
  'proc/100/status': 'Name:\tnode\nVmPeak:\t  900000 kB\nVmRSS:\t   80000 kB\nThreads:\t11\n',
  'proc/101/status': 'Name:\tnode\nVmRSS:\t  150000 kB\n',
  'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'sys/class/thermal/thermal_zone0/temp': '48312\n',
  'sys/class/thermal/cooling_device0/type': 'cpufreq-cpu0\n',
};
const voltage = (alarm: string) => ({
  'sys/class/hwmon/hwmon0/name': 'cpu_thermal\n',
  'sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
  'sys/class/hwmon/hwmon1/in0_lcrit_alarm': `${alarm}\n`,
});

function read(files: Record<string, string>, vcgencmd?: string, pids = [100, 101]): Promise<MachineReadings> {
  return readMachine({ pids, root: machineOf(files), vcgencmd: async () => vcgencmd });
}

const test = suite('machine');

test('reads a Raspberry Pi 4', async () => {
  assert.equal(await read({ ...pi4, 'sys/devices/platform/soc/soc:firmware/get_throttled': '50005\n' }), {
    cpuTempC: 48.312,
    throttled: { now: true, sinceBoot: true },
    load: 0.52,
    rssMb: 235.52,
    board: 'Raspberry Pi 4 Model B Rev 1.4',
  });
});

test('tells throttled now from throttled since boot', async () => {
  const throttled = async (bits: string) =>
    (
      await read({
        ...pi4,
        'sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled': bits,
      })
    ).throttled;
  assert.equal(await throttled('0'), { now: false, sinceBoot: false });
  assert.equal(await throttled('50000'), { now: false, sinceBoot: true });
  assert.equal(await throttled('8'), { now: true, sinceBoot: false });
  assert.equal(await throttled('rubbish'), { now: undefined, sinceBoot: undefined });
});

test('asks vcgencmd on a Raspberry Pi only, and where the kernel does not say', async () => {
  assert.equal((await read(pi4, 'throttled=0x50000\n')).throttled, { now: false, sinceBoot: true });
  assert.equal((await read(pi4, 'VCHI initialization failed\n')).throttled, {
    now: undefined,
    sinceBoot: undefined,
  });
  const neverAsk = async () => {
    throw new Error('vcgencmd was asked');
  };
  const otherBoard = machineOf({ 'proc/device-tree/model': 'Radxa ROCK 5B\0' });
  await readMachine({ pids: [], root: otherBoard, vcgencmd: neverAsk });
  const kernelSays = machineOf({ ...pi4, 'sys/devices/platform/soc/soc:firmware/get_throttled': '0' });
  await readMachine({ pids: [], root: kernelSays, vcgencmd: neverAsk });
});

test('takes the voltage alarm for what it knows: now, and nothing of before', async () => {
  assert.equal((await read({ ...pi4, ...voltage('1') })).throttled, { now: true, sinceBoot: true });
  assert.equal((await read({ ...pi4, ...voltage('0') })).throttled, { now: false, sinceBoot: undefined });
});

test('takes the hottest zone of the processor', async () => {
  const zones = {
    'sys/class/thermal/thermal_zone0/type': 'soc-thermal\n',
    'sys/class/thermal/thermal_zone0/temp': '51000\n',
    'sys/class/thermal/thermal_zone1/type': 'bigcore0-thermal\n',
    'sys/class/thermal/thermal_zone1/temp': '63500\n',
    'sys/class/thermal/thermal_zone2/type': 'bigcore1-thermal\n',
    'sys/class/thermal/thermal_zone2/temp': '-273000\n',
    'sys/class/thermal/thermal_zone3/type': 'gpu-thermal\n',
    'sys/class/thermal/thermal_zone3/temp': '90000\n',
    // the type is there, the reading is not: a sensor that is asleep
    'sys/class/thermal/thermal_zone4/type': 'littlecore-thermal\n',
  };
  assert.is((await read(zones)).cpuTempC, 63.5);
  const acpi = {
    'sys/class/thermal/thermal_zone0/type': 'acpitz\n',
    'sys/class/thermal/thermal_zone0/temp': '27800\n',
  };
  assert.is((await read(acpi)).cpuTempC, undefined);
});

test('names a board by device tree, DMI or processor', async () => {
  const dmi = { 'sys/class/dmi/id/sys_vendor': 'LENOVO\n', 'sys/class/dmi/id/product_name': '20XW\n' };
  const cpuinfo = { 'proc/cpuinfo': 'processor\t: 0\nmodel name\t: AMD EPYC 9B14\n' };
  assert.is((await read({ ...pi4, ...dmi })).board, 'Raspberry Pi 4 Model B Rev 1.4');
  assert.is((await read({ ...dmi, ...cpuinfo })).board, 'LENOVO 20XW');
  assert.is((await read(cpuinfo)).board, 'AMD EPYC 9B14');
});

test('knows nothing of a machine that says nothing', async () => {
  assert.equal(await read({}), {
    cpuTempC: undefined,
    throttled: { now: undefined, sinceBoot: undefined },
    load: undefined,
    rssMb: undefined,
    board: undefined,
  });
});

test('leaves out processes that are gone', async () => {
  assert.is((await read(pi4, undefined, [101, 999])).rssMb, 153.6);
});

test('keeps the last readings for those who cannot wait', async () => {
  const root = machineOf(pi4);
  let asked = 0;
  const watch = watchMachine({
    root,
    vcgencmd: async () => undefined,
    intervalMs: 1,
    pids: () => {
      asked++;
      return [100];
    },
  });
  assert.is(watch.readings().load, undefined, 'nothing is known before the first reading');
  while (asked < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.is(watch.readings().load, 0.52);
  assert.is(watch.readings().rssMb, 81.92);
  watch.close();
  const askedAtClose = asked;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.is(asked, askedAtClose);
});

test('reads this machine', async () => {
  const { load, rssMb } = await readMachine({ pids: [process.pid] });
  assert.ok(load !== undefined && load >= 0);
  assert.ok(rssMb !== undefined && Math.abs(rssMb - process.memoryUsage.rss() / 1e6) < 20, String(rssMb));
});

test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
test.run();
