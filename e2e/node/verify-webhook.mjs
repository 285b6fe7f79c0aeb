// Verifies a message with npm `standardwebhooks`, or with a public key: what it says, or that it is refused.
import { createPublicKey, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { secret, headers, body } = JSON.parse(text);

// The npm library knows shared secrets only, so `v1a` is verified as the specification describes it.
function verifyWithPublicKey() {
  const x = Buffer.from(secret.slice("whpk_".length), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const content = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const signatures = headers["webhook-signature"].split(" ").filter((part) => part.startsWith("v1a,"));
  const isGood = (part) => verify(null, content, key, Buffer.from(part.slice("v1a,".length), "base64"));
  if (!signatures.some(isGood)) throw new Error("no signature matches");
  return JSON.parse(body);
}

try {
  const message = secret.startsWith("whpk_") ? verifyWithPublicKey() : new Webhook(secret).verify(body, headers);
  console.log(JSON.stringify({ accepted: true, detail: message.data.detail }));
} catch (error) {
  console.log(JSON.stringify({ accepted: false, why: error.message }));
}
