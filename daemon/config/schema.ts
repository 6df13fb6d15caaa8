/** What the code needs to know of `config.schema.json`: its leaves, and how to say what each one expects. */
import schemaJson from './config.schema.json' with { type: 'json' };

/** The part of JSON Schema (draft 07) that the configuration uses; a test holds the file to it. */
export type SchemaNode = {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: false;
  readonly items?: { readonly type: 'string'; readonly pattern: string; readonly maxLength?: number };
  readonly maxItems?: number;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
  /** A secret: never shown. */
  readonly writeOnly?: true;
  /** The pattern in words. */
  readonly 'x-expected'?: string;
  /** The default in words, where it depends on the machine or on another key. */
  readonly 'x-default'?: string;
};

/** A key that holds a value: `path` is `['vad', 'hangoverMs']`, `variable` is `HARKD_VAD_HANGOVER_MS`. */
export type Leaf = {
  readonly path: readonly string[];
  readonly key: string;
  readonly variable: string;
  readonly node: SchemaNode;
};

export const schemaText = `${JSON.stringify(schemaJson, undefined, 2)}\n`;
export const schema = schemaJson as SchemaNode & { readonly $id: string };
/** Counts up when a key changes its meaning or goes away; published in `<base>/info`. */
export const schemaVersion = Number(schema.$id.split(':').at(-1));

/** `['vad', 'hangoverMs']` -> `HARKD_VAD_HANGOVER_MS`. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return `HARKD_${words.join('_')}`;
}

/** Every key that holds a value, in the order of the schema. */
export function leavesOf(node: SchemaNode, path: readonly string[] = []): Leaf[] {
  if (node.properties === undefined) return [{ path, key: path.join('.'), variable: variableOf(path), node }];
  return Object.entries(node.properties).flatMap(([name, child]) => leavesOf(child, [...path, name]));
}

export const leaves: readonly Leaf[] = leavesOf(schema);

/** The schema of a key or section, or undefined when there is none of that name. */
export function nodeAt(path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const name of path) {
    const properties: Readonly<Record<string, SchemaNode>> = node?.properties ?? {};
    node = Object.hasOwn(properties, name) ? properties[name] : undefined;
  }
  return node;
}

/** What a key expects, in words: `a whole number from 96 to 5000`. */
export function expectedOf(node: SchemaNode): string {
  if (node.type === 'object') return `a section with keys such as ${Object.keys(node.properties ?? {})[0]}`;
  if (node['x-expected'] !== undefined) return node['x-expected'];
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  if (node.type === 'boolean') return 'true or false';
  if (node.type === 'string') return 'text';
  const kind = node.type === 'integer' ? 'a whole number' : 'a number';
  return `${kind} from ${node.minimum} to ${node.maximum}`;
}

/** What a key is when nobody sets it, in words. */
export function defaultOf(node: SchemaNode): string {
  return node['x-default'] ?? String(node.default);
}
