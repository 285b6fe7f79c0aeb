// Makes the tokens of npm `jose` and npm `jsonwebtoken`, with the keys generate.py made.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SignJWT } from 'jose';

const require = createRequire(import.meta.url);
const jsonwebtoken = require('jsonwebtoken');
const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
const here = (name) => new URL(name, import.meta.url);

const stored = JSON.parse(readFileSync(here('test-keys.json')));
const { claims } = JSON.parse(readFileSync(here('pyjwt.json')));
const secret = Buffer.from(stored.secret, 'base64url');
const algorithms = {
  HS256: 'secret', HS384: 'secret', HS512: 'secret',
  RS256: 'rsa', RS384: 'rsa', RS512: 'rsa', PS256: 'rsa', PS384: 'rsa', PS512: 'rsa',
  ES256: 'p256', ES384: 'p384', ES512: 'p521', EdDSA: 'ed25519',
};
const keyOf = (name) => (name === 'secret' ? secret : createPrivateKey(stored[name]));

const vectors = [];
const add = (maker, name, algorithm, token) =>
  vectors.push({ case: `${maker} ${name}`, algorithm, key: algorithms[algorithm], token });

const der = new X509Certificate(stored.certificate).raw;
const { createHash } = await import('node:crypto');
const x5t = createHash('sha1').update(der).digest('base64url');
const x5tS256 = createHash('sha256').update(der).digest('base64url');

const byJose = (algorithm, header) =>
  new SignJWT(claims).setProtectedHeader({ alg: algorithm, ...header }).sign(keyOf(algorithms[algorithm]));

for (const [algorithm, key] of Object.entries(algorithms)) {
  add('jose', 'kid', algorithm, await byJose(algorithm, { kid: key, typ: 'JWT' }));
  add('jose', 'no_kid', algorithm, await byJose(algorithm, {}));
  if (algorithm !== 'EdDSA') {
    const sign = (options) => jsonwebtoken.sign(claims, keyOf(key), { algorithm, ...options });
    add('jsonwebtoken', 'kid', algorithm, sign({ keyid: key }));
    add('jsonwebtoken', 'no_kid', algorithm, sign({}));
  }
}
add('jose', 'x5t', 'RS256', await byJose('RS256', { x5t }));
add('jose', 'x5t#S256', 'RS256', await byJose('RS256', { 'x5t#S256': x5tS256 }));
add('jose', 'both thumbprints', 'RS256', await byJose('RS256', { x5t, 'x5t#S256': x5tS256 }));

const generator = `jose ${version('jose')}, jsonwebtoken ${version('jsonwebtoken')}, node ${process.version}`;
writeFileSync(here('node.json'), `${JSON.stringify({ generator, claims, vectors }, null, 1)}\n`);
