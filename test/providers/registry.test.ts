import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cpuProfiles } from '../../models/compiler/profiles.ts';
import { cpuFeatures, cpuProfile, int8Saturates, probeCpu } from '../../providers/cpu.ts';
import type { ProbeReport, Provider } from '../../providers/provider.ts';
import { type Registry, registry, resolveProvider } from '../../providers/registry.ts';
import { faultOf } from '../faults.ts';

const providers = suite('providers');

function providerThat(report: ProbeReport, name = 'npu'): () => Promise<{ provider: Provider }> {
  const provider: Provider = {
    name,
    probe: async () => report,
    open: () => Promise.reject(new Error('not opened in this test')),
  };
  return async () => ({ provider });
}

const refusing = providerThat({ usable: false, reason: 'no /dev/davinci0', hint: 'install the driver' });

providers('every registered provider answers to its name and its probe does not throw', async () => {
  for (const [name, load] of Object.entries(registry)) {
    const { provider } = await load();
    assert.is(provider.name, name);
    const report = await provider.probe();
    assert.ok(report.usable ? report.device.length > 0 : report.reason.length > 0 && report.hint.length > 0);
  }
});

providers('auto takes the cpu here and says so', async () => {
  const resolved = await resolveProvider('auto');
  assert.is(resolved.requested, 'auto');
  assert.is(resolved.active, 'cpu');
  assert.is(resolved.provider.name, 'cpu');
});

providers('auto reports why a better provider was refused', async () => {
  const both: Registry = { npu: refusing, cpu: registry['cpu'] as Registry[string] };
  const resolved = await resolveProvider('auto', both);
  assert.is(resolved.active, 'cpu');
  assert.match(resolved.reason, 'npu: no /dev/davinci0');
});

providers('auto prefers the first usable', async () => {
  const usable = providerThat({ usable: true, device: 'a fast one' });
  const resolved = await resolveProvider('auto', { npu: usable, cpu: refusing });
  assert.is(resolved.active, 'npu');
  assert.is(resolved.device, 'a fast one');
});

providers('a provider asked for by name never turns into another', async () => {
  const both: Registry = { npu: refusing, cpu: registry['cpu'] as Registry[string] };
  const fault = await faultOf(() => resolveProvider('npu', both));
  assert.is(fault.code, 'PROVIDER_UNAVAILABLE');
  assert.match(fault.message, 'npu: no /dev/davinci0');
  assert.is(fault.hint, 'install the driver');
});

providers('with nothing usable auto says what each one lacks', async () => {
  const fault = await faultOf(() => resolveProvider('auto', { npu: refusing, other: refusing }));
  assert.is(fault.code, 'PROVIDER_UNAVAILABLE');
  assert.match(fault.message, /npu: .*other: /);
});

providers('an unknown name is answered with the known ones', async () => {
  for (const name of ['gpu', 'toString', '']) {
    const fault = await faultOf(() => resolveProvider(name));
    assert.is(fault.code, 'PROVIDER_UNKNOWN');
    assert.match(fault.message, 'auto, cpu');
  }
});

providers('the cpu provider refuses what it cannot run on, with the way out', async () => {
  const pi32 = await probeCpu('linux', 'arm');
  assert.ok(!pi32.usable && pi32.hint.includes('64-bit'));
  const mac = await probeCpu('darwin', 'arm64');
  assert.ok(!mac.usable && mac.reason.includes('Linux'));
});

providers('processor features are read from both kinds of /proc/cpuinfo', () => {
  assert.ok(cpuFeatures('processor\t: 0\nFeatures\t: fp asimd asimddp\n').has('asimddp'));
  assert.ok(cpuFeatures('model name\t: x\nflags\t\t: fpu avx2 avx512_vnni\n').has('avx512_vnni'));
  assert.is(cpuFeatures('').has('avx2'), false);
});

providers('only x86 without VNNI has int8 sums that saturate', () => {
  assert.is(int8Saturates('x64', new Set(['avx2', 'avx512f'])), true);
  assert.is(int8Saturates('x64', new Set(['avx2', 'avx512_vnni'])), false);
  assert.is(int8Saturates('x64', new Set(['avx2', 'avx_vnni'])), false);
  assert.is(int8Saturates('arm64', new Set(['asimd'])), false);
});

providers('the kind of processor is told by the best integer products it has', () => {
  const profileOf = (arch: string, line: string) => cpuProfile(arch, cpuFeatures(line));
  const pi4 = 'Features\t: fp asimd evtstrm crc32 cpuid';
  assert.is(profileOf('arm64', pi4), 'no-dot-product');
  assert.is(profileOf('arm64', `${pi4} asimdrdm asimddp`), 'dot-product');
  assert.is(profileOf('arm64', `${pi4} asimdrdm asimddp i8mm bf16`), 'i8mm');
  assert.is(profileOf('x64', 'flags\t\t: sse2 avx avx2'), 'avx2');
  assert.is(profileOf('x64', 'flags\t\t: sse2 avx avx2 avx_vnni'), 'avx-vnni');
  assert.is(profileOf('x64', 'flags\t\t: avx2 avx512f avx512_vnni avx_vnni'), 'avx512-vnni');
  assert.is(profileOf('x64', 'flags\t\t: sse2 sse4_2'), 'no-dot-product');
  assert.is(profileOf('riscv64', ''), 'no-dot-product');
  // the compiler knows what to do for whatever this answers
  assert.ok(cpuProfiles.includes(cpuProfile()));
});

providers.run();
