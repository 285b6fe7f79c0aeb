// How much CPU time npm `jsonwebtoken` needs for a token, with a key object that is made once.
//
//   node bench-sign.mjs ALGORITHM ROUNDS < request.json
//
// The request is {"key": PEM or secret, "payload": {…}, "options": {…}}. Prints microseconds.
import { createPrivateKey, createSecretKey } from "node:crypto";
import { readFileSync } from "node:fs";
import jsonwebtoken from "jsonwebtoken";

const [algorithm, rounds] = process.argv.slice(2);
const { key, payload, options } = JSON.parse(readFileSync(0, "utf8"));
const object = algorithm.startsWith("HS") ? createSecretKey(Buffer.from(key)) : createPrivateKey(key);
const sign = (count) => {
  for (let i = 0; i < count; i += 1) jsonwebtoken.sign(payload, object, { ...options, algorithm });
};
sign(rounds / 4);
const before = process.cpuUsage();
sign(Number(rounds));
const { user, system } = process.cpuUsage(before);
console.log((user + system) / rounds);
