/** Trees of values under construction: read from outside, not yet known to be a configuration. */
import { nodeAt } from './schema.ts';

export type ConfigTree = Record<string, unknown>;

/** A copy without a prototype, so that a key called `__proto__` is a key; keys without a value keep their default. */
export function bareCopy(tree: object): ConfigTree {
  const copy: ConfigTree = Object.create(null);
  for (const [name, value] of Object.entries(tree)) {
    if (value === null || value === undefined) continue;
    const isSection = nodeAt([name])?.type === 'object' && typeof value === 'object' && !Array.isArray(value);
    copy[name] = isSection ? bareCopyOfSection(value) : value;
  }
  return copy;
}

function bareCopyOfSection(section: object): ConfigTree {
  const entries = Object.entries(section).filter(([, value]) => value !== null && value !== undefined);
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

/** Sets the value at a path of one or two names; a section that is no section stays, and is reported as such. */
export function put(tree: ConfigTree, [first = '', second]: readonly string[], value: unknown): void {
  if (second === undefined) {
    tree[first] = value;
    return;
  }
  tree[first] ??= Object.create(null);
  const section = tree[first];
  if (typeof section === 'object' && section !== null && !Array.isArray(section)) {
    (section as ConfigTree)[second] = value;
  }
}

/** The value at a path, or undefined. */
export function pick(tree: object, path: readonly string[]): unknown {
  let value: unknown = tree;
  for (const name of path) value = (value as ConfigTree | undefined)?.[name];
  return value;
}

/** The text of a variable as the type its key has; what does not fit stays text, and is reported like any value. */
export function typed(text: string, type: string): unknown {
  const trimmed = text.trim();
  if ((type === 'integer' || type === 'number') && /^[-+]?\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (type === 'boolean' && /^(true|false)$/.test(trimmed)) return trimmed === 'true';
  if (type === 'array') {
    return trimmed
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  return text;
}
