import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerAccess, openAccess, tlsFileProblems } from '../../daemon/broker-access.ts';
import { Fault } from '../../daemon/faults.ts';
import { type Authority, type Certificates, certificates, opensslMissing } from '../fixtures/certificates.ts';
import { announceSkip } from '../skip.ts';

const test = suite<{ files: Certificates; authority: Authority }>('daemon/broker-access');

test.before((world) => {
  world.files = certificates();
  world.authority = world.files.authority('home');
});
test.after(({ files }) => files.remove());

const wordsOf = (access: BrokerAccess): string[] =>
  tlsFileProblems(access).map(({ key, got, expected, hint }) => `${key} ${got}; ${expected}; ${hint}`);

test('what belongs together is opened, with the day on which our certificate ends', ({ authority }) => {
  const ours = authority.sign('harkd', 'DNS:harkd');
  const { secureContext, certificateEndsAt } = openAccess({ caFile: authority.certFile, ...ours });
  assert.ok(secureContext !== undefined);
  const inDays = ((certificateEndsAt?.getTime() ?? 0) - Date.now()) / 86_400_000;
  assert.ok(inDays > 1.9 && inDays < 2.1, `${inDays} days`);
  assert.is(openAccess({ password: 'x' }).secureContext, undefined);
});

test('a bundle of authorities is taken whole, and one that is broken in it is found', ({
  files,
  authority,
}) => {
  const bundle = path.join(files.dir, 'bundle.pem');
  const first = readFileSync(authority.certFile, 'utf8');
  writeFileSync(bundle, `# ours\n${first}# theirs\n${readFileSync(files.authority('b').certFile, 'utf8')}`);
  assert.equal(wordsOf({ caFile: bundle }), []);
  writeFileSync(bundle, first + first.replace(/[A-Za-z0-9+/]{40}\n/, '\n'));
  assert.match(wordsOf({ caFile: bundle }).join(), /holds certificate that cannot be used.*copied whole/);
});

test('every file that cannot be used is named, with what to do', ({ files, authority }) => {
  const ours = authority.sign('mine', 'DNS:mine');
  const theirs = authority.sign('theirs', 'DNS:theirs');
  const write = (name: string, content: string | Buffer): string => {
    const file = path.join(files.dir, name);
    writeFileSync(file, content);
    return file;
  };
  const der = path.join(files.dir, 'cert.der');
  execFileSync('openssl', ['x509', '-in', ours.certFile, '-outform', 'der', '-out', der]);
  const locked = path.join(files.dir, 'locked.pem');
  execFileSync('openssl', ['pkcs8', '-topk8', '-in', ours.keyFile, '-out', locked, '-passout', 'pass:x']);

  for (const [access, words] of [
    [{ caFile: path.join(files.dir, 'none') }, /^caFile .*\(ENOENT\); .*; check the path/],
    [{ caFile: files.dir }, /^caFile .*\(EISDIR\)/],
    [{ caFile: write('empty', '') }, /^caFile .*is not PEM/],
    [{ caFile: der }, /^caFile .*is not PEM.*openssl x509 -inform der/],
    [{ caFile: ours.keyFile }, /^caFile .*holds private key that cannot be used/],
    [{ ...ours, certFile: ours.keyFile }, /^certFile .*holds private key/],
    [{ ...ours, keyFile: ours.certFile }, /^keyFile .*holds certificate/],
    [{ ...ours, keyFile: theirs.keyFile }, /^keyFile .*belongs to another certificate/],
    [{ ...ours, keyFile: locked }, /^keyFile .*needs a passphrase.*openssl pkey/],
  ] as const) {
    const problems = wordsOf(access);
    assert.is(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', words);
    try {
      openAccess(access);
      assert.unreachable(String(words));
    } catch (thrown) {
      assert.instance(thrown, Fault);
      assert.is((thrown as Fault).code, 'BROKER_CERTIFICATE');
    }
  }
  const both = wordsOf({ caFile: der, certFile: der, keyFile: der });
  assert.is(both.length, 3, 'all at once');
});

test('a key too weak for OpenSSL is a fault, not a crash', ({ files }) => {
  const [certFile, keyFile] = [path.join(files.dir, 'weak.pem'), path.join(files.dir, 'weak-key.pem')];
  const weak = ['-newkey', 'rsa:512', '-nodes', '-subj', '/CN=weak', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...weak, '-keyout', keyFile, '-out', certFile], {
    stdio: 'ignore',
  });
  assert.match(
    wordsOf({ certFile, keyFile }).join(),
    /^certFile refused by OpenSSL: .*too small.*; make a new one/,
  );
});

test('the password is the first line of its file, as it is now', ({ files }) => {
  const passwordFile = path.join(files.dir, 'token');
  const access = { username: 'harkd', password: 'old', passwordFile };
  for (const content of ['first\n', 'second\r\nnot this\n']) {
    writeFileSync(passwordFile, content);
    assert.is(openAccess(access).password, content.split(/\r?\n/)[0]);
  }
  for (const [content, words] of [
    ['', /is empty/],
    [undefined, /not readable \(ENOENT\)/],
  ] as const) {
    const at = content === undefined ? path.join(files.dir, 'nowhere') : passwordFile;
    if (content !== undefined) writeFileSync(at, content);
    try {
      openAccess({ ...access, passwordFile: at });
      assert.unreachable();
    } catch (thrown) {
      assert.is((thrown as Fault).code, 'BROKER_CREDENTIALS');
      assert.match((thrown as Fault).message, words);
    }
  }
});

if (opensslMissing === undefined) test.run();
else announceSkip('daemon/broker-access', opensslMissing);
