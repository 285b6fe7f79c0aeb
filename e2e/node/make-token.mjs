// Makes one token with a library that is not ours.
//
//   node make-token.mjs jose|jsonwebtoken < request.json
//
// The request is {"algorithm": "RS256", "key": PEM or secret, "header": {…}, "payload": {…}}; `header` is added
// to what the library writes itself. Prints the token and nothing else.
import { readFileSync } from "node:fs";
import { SignJWT, importPKCS8 } from "jose";
import jsonwebtoken from "jsonwebtoken";

const libraries = {
  async jose({ algorithm, key, header, payload }) {
    const signingKey = algorithm.startsWith("HS")
      ? new TextEncoder().encode(key)
      : await importPKCS8(key, algorithm);
    return new SignJWT(payload).setProtectedHeader({ alg: algorithm, ...header }).sign(signingKey);
  },

  // The library would add `iat`; the payload is to be what the request says.
  async jsonwebtoken({ algorithm, key, header, payload }) {
    return jsonwebtoken.sign(payload, key, { algorithm, header: { alg: algorithm, ...header }, noTimestamp: true });
  },
};

const make = libraries[process.argv[2]];
if (!make) {
  console.error("usage: node make-token.mjs jose|jsonwebtoken < request.json");
  process.exit(2);
}
const request = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(await make({ header: {}, ...request }));
