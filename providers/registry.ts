/** Every provider by name, best first. Nothing of a provider is loaded before it is asked for. */
import { Fault } from '../daemon/faults.ts';
import type { Provider } from './provider.ts';

export type ProviderLoader = () => Promise<{ readonly provider: Provider }>;
export type Registry = Readonly<Record<string, ProviderLoader>>;

export const registry: Registry = {
  cpu: () => import('./cpu.ts'),
};

/** Which provider was asked for, which one works, and why they differ or why this one. */
export type ResolvedProvider = {
  readonly provider: Provider;
  readonly requested: string;
  readonly active: string;
  readonly device: string;
  readonly reason: string;
};

/**
 * The provider to use. `requested` is a name, or `auto`: the best one that is usable, with the refusals of the better
 * ones in `reason`. A provider asked for by name is used or refused; it never turns into another.
 * Throws `Fault`: PROVIDER_UNKNOWN, PROVIDER_UNAVAILABLE.
 */
export async function resolveProvider(
  requested: string,
  providers: Registry = registry,
): Promise<ResolvedProvider> {
  const known = Object.keys(providers);
  if (requested !== 'auto' && !Object.hasOwn(providers, requested)) {
    throw new Fault(
      'PROVIDER_UNKNOWN',
      `unknown provider '${requested}', expected one of: auto, ${known.join(', ')}`,
      'correct provider in the configuration; harkd devices lists what this machine has',
    );
  }
  const refusals: string[] = [];
  let hint = '';
  for (const name of requested === 'auto' ? known : [requested]) {
    const { provider } = await (providers[name] as ProviderLoader)();
    const report = await provider.probe();
    if (report.usable) {
      const reason = requested === 'auto' ? ['best usable', ...refusals].join('; ') : 'requested';
      return { provider, requested, active: name, device: report.device, reason };
    }
    refusals.push(`${name}: ${report.reason}`);
    hint = report.hint;
  }
  throw new Fault(
    'PROVIDER_UNAVAILABLE',
    requested === 'auto'
      ? `no provider is usable on this machine (${refusals.join('; ')})`
      : `provider ${refusals.join('; ')}`,
    hint,
  );
}
