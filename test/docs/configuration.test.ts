import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../daemon/config/config.ts';
import { leaves } from '../../daemon/config/schema.ts';
import { configurationPage, docsDir, exampleFile } from './configuration-page.ts';

const test = suite('docs/configuration.md');
const machine = { hostname: 'pi4', cores: 4 };

test('is written from the schema', () => {
  const hint = 'run: node dist/test/docs/configuration-page.js';
  assert.is(readFileSync(path.join(docsDir, 'configuration.md'), 'utf8'), configurationPage(), hint);
  assert.is(readFileSync(path.join(docsDir, 'config.example.yaml'), 'utf8'), exampleFile(), hint);
});

test('has every key with its variable', () => {
  const page = readFileSync(path.join(docsDir, 'configuration.md'), 'utf8');
  for (const { key, variable } of leaves) {
    assert.match(page, new RegExp(`^###+ ${key}$`, 'm'));
    assert.ok(page.includes(`\`${variable}\``), variable);
  }
});

test('the example file means the defaults', () => {
  const environment = {};
  const example = loadConfig({ path: path.join(docsDir, 'config.example.yaml'), environment, machine });
  assert.equal(example, loadConfig({ environment, machine }));
});

test('the example file is right with every line of it in use', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'harkd-example-'));
  const secret = path.join(folder, 'password');
  writeFileSync(secret, 'hunter2-hunter2-hunter2\n');
  const text = readFileSync(path.join(docsDir, 'config.example.yaml'), 'utf8')
    .replaceAll(/^ *#(password|token):.*$/gm, '')
    // for a broker with TLS, which that of the example is not
    .replaceAll(/^ *#(caFile|certFile|keyFile|serverName):.*$/gm, '')
    .replaceAll(/\/etc\/harkd\/(mqtt-password|http-token|webhook-token)/g, secret)
    .replaceAll(/^( *)#(?=[a-z])/gim, '$1');
  const file = path.join(folder, 'config.yaml');
  writeFileSync(file, text);
  const config = loadConfig({ path: file, environment: {}, machine });
  assert.is(config.site, 'kitchen');
  assert.is(config.mqtt.username, 'harkd');
  assert.is(config.mqtt.password, 'hunter2-hunter2-hunter2');
  assert.is(config.http.token, 'hunter2-hunter2-hunter2');
  rmSync(folder, { recursive: true });
});

test.run();
