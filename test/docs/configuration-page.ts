/**
 * Writes docs/configuration.md and docs/config.example.yaml from the schema; the test beside it holds them equal.
 *
 *   node dist/test/docs/configuration-page.js
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  defaultOf,
  expectedOf,
  leaves,
  nodeAt,
  type SchemaNode,
  schema,
} from '../../daemon/config/schema.ts';

export const docsDir = path.join(import.meta.dirname, '../../../docs');

const introduction = `# Configuration

<!-- written by test/docs/configuration-page.ts from daemon/config/config.schema.json: change the schema, not this page -->

harkd runs without any configuration. What you want otherwise goes into one YAML file; the first of these that
exists is read:

1. the one given with \`--config FILE\`, or named by \`HARKD_CONFIG\` (then it must exist)
2. \`$XDG_CONFIG_HOME/harkd/config.yaml\`
3. \`~/.config/harkd/config.yaml\`
4. \`/etc/harkd/config.yaml\`

[config.example.yaml](config.example.yaml) has every key with its default. A key without a value keeps its default.
Paths are relative to the folder harkd is started in.

Above the file stand variables of the environment: \`HARKD_\` and the key in capitals, words parted by \`_\`, so
\`vad.hangoverMs\` is \`HARKD_VAD_HANGOVER_MS\`. An empty variable counts as not set; one that starts with \`HARKD_\`
and is no key is an error, since it is most likely a slip. Above both stand the options of the command line.

harkd reports everything that is wrong at once, with line, value and what was expected, and ends with exit code 78:

\`\`\`
error CONFIG_INVALID: 2 problems in the configuration:
  /etc/harkd/config.yaml:4: vad.threshold is 1.5, expected a number from 0.05 to 0.95 (left out it is 0.5)
  HARKD_MQTT_ULR: no such variable (did you mean HARKD_MQTT_URL?)
hint: correct them and try with: harkd config check; every key is explained in docs/configuration.md
\`\`\`

- \`harkd config check\` tries a configuration without starting anything
- \`harkd config print\` shows what is in effect, secrets hidden
- \`harkd config schema\` prints the JSON Schema; with \`# yaml-language-server: $schema=…\` in the first line, editors
  complete and check the file

## Keys
`;

/** Markdown would take \`<site>\` for a tag. */
function plain(text: string): string {
  return text.replaceAll('<', '\\<');
}

export function configurationPage(): string {
  let page = introduction;
  let section = '';
  for (const { path: at, key, variable, node } of leaves) {
    const [first = ''] = at;
    if (at.length === 2 && section !== first) page += `\n### ${first}\n\n${nodeAt([first])?.description}\n`;
    section = first;
    page += `\n${at.length === 2 ? '####' : '###'} ${key}\n\n${node.description}\n\n`;
    page += `- expected: ${plain(expectedOf(node))}\n- default: ${plain(defaultOf(node))}\n- variable: \`${variable}\`\n`;
  }
  return page;
}

function wrap(text: string, indent: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length + indent.length > 104) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `${indent}# ${line}\n`).join('');
}

function entry(name: string, node: SchemaNode, indent: string): string {
  const comment = wrap(`${node.description.replaceAll('`', '')} (${expectedOf(node)})`, indent);
  const value = Array.isArray(node.default) ? JSON.stringify(node.default) : node.default;
  if (value !== undefined) return `${comment}${indent}${name}: ${value}\n`;
  const example = node.examples?.[0];
  return `${comment}${wrap(`default: ${defaultOf(node)}`, indent)}${indent}#${name}: ${example}\n`;
}

export function exampleFile(): string {
  let text = '# Every key of harkd with its default. All of it may be left out.\n';
  for (const [name, node] of Object.entries(schema.properties ?? {})) {
    if (node.type !== 'object') text += `\n${entry(name, node, '')}`;
    else {
      text += `\n${wrap(node.description.replaceAll('`', ''), '')}${name}:\n`;
      text += Object.entries(node.properties ?? {})
        .map(([inner, child]) => entry(inner, child, '  '))
        .join('\n');
    }
  }
  return text;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(path.join(docsDir, 'configuration.md'), configurationPage());
  writeFileSync(path.join(docsDir, 'config.example.yaml'), exampleFile());
}
