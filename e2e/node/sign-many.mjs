// Signs with npm `jsonwebtoken`, and verifies with `jws` under it, case after case.
//
//   node sign-many.mjs < cases.ndjson > answers.ndjson
//
// A case is {"payload": …, "secret": …, "options": …, "now": milliseconds}; its answer {"token": …} or
// {"error": message, "inner": whether the message is that of OpenSSL or JavaScript itself}. A case with "verify" is a token
// to verify with the public half of "secret" (a private key in PEM, alone or with its passphrase) and "algorithm"; its answer {"valid": …}.
//
// What JSON does not have is written {"$": "undefined"}, {"$": "number", "text": "NaN"}, {"$": "bytes", "hex": "00"} and
// {"$": "date", "ms": 0}.
import { createPublicKey } from "node:crypto";
import { createInterface } from "node:readline";
import jsonwebtoken from "jsonwebtoken";
import jws from "jws";

const special = {
  undefined: () => undefined,
  number: ({ text }) => Number(text),
  bytes: ({ hex }) => Buffer.from(hex, "hex"),
  date: ({ ms }) => new Date(ms),
};

function revived(value) {
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== "object") return value;
  if (Object.hasOwn(value, "$")) return special[value.$](value);
  const object = {};
  for (const [name, member] of Object.entries(value)) object[name] = revived(member);
  return object;
}

let now = 0;
Date.now = () => now;

function answer(request) {
  if (request.verify !== undefined) {
    const key = createPublicKey(revived(request.secret));
    return { valid: jws.verify(request.verify, request.algorithm, key) };
  }
  now = request.now;
  try {
    return { token: jsonwebtoken.sign(revived(request.payload), revived(request.secret), revived(request.options)) };
  } catch (error) {
    const inner = /^ERR_/.test(error.code ?? "") || !/jsonwebtoken|jwa/.test(error.stack.split("\n").find((line) => line.startsWith("    at ")));
    return { error: error.message, inner };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
}
