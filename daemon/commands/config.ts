import { stringify } from 'yaml';
import { choicesFile, choicesPathOf, stillChosen } from '../choices.ts';
import { type ConfigInput, type Environment, hideSecrets, loadConfigFrom } from '../config/config.ts';
import { schemaText } from '../config/schema.ts';

/** `harkd config check`: says that all is well, or throws the fault with everything that is not. */
export function checkConfig(input: ConfigInput): string {
  const { path } = loadConfigFrom(input);
  return path === undefined ? 'ok: no configuration file, defaults throughout\n' : `ok: ${path}\n`;
}

/** `harkd config print`: the configuration in effect as YAML (or JSON), secrets hidden. */
export function printConfig(input: ConfigInput, format: 'yaml' | 'json' = 'yaml'): string {
  const { config, path } = loadConfigFrom(input);
  const shown = hideSecrets(config);
  if (format === 'json') return `${JSON.stringify(shown, undefined, 2)}\n`;
  const chosen = Object.keys(stillChosen(config, choicesFile(choicesPathOf(config), () => undefined).read()));
  const note = chosen.length === 0 ? '' : `# but for what was chosen over MQTT: ${chosen.join(', ')}\n`;
  return `# in effect with ${path ?? 'no configuration file'}\n${note}${stringify(shown)}`;
}

/** `harkd config schema`: the JSON Schema (draft 07), for editors and for those who generate the file. */
export function printSchema(): string {
  return schemaText;
}

/** The command: writes what the action asks for, or throws the `Fault`. */
export async function config(
  argv: {
    readonly action: 'check' | 'print' | 'schema';
    readonly config?: string | undefined;
    readonly json?: boolean;
  },
  context: { readonly environment: Environment; readonly write: (text: string) => void },
): Promise<void> {
  const input = { path: argv.config, environment: context.environment };
  if (argv.action === 'check') context.write(checkConfig(input));
  else if (argv.action === 'print') context.write(printConfig(input, argv.json ? 'json' : 'yaml'));
  else context.write(printSchema());
}
