// OAuth clients as they come: npm `oauth4webapi` and `dpop`, with tokens of every kind for resources behind the gateway.
//
//   node oauth-client.mjs settings.json
//
// The settings are {"gateway", "issuer", "clientSecret"}. It prints one line of JSON: what each request was answered.
import { readFileSync } from "node:fs";
import { generateProof, generateKeyPair } from "dpop";
import * as oauth from "oauth4webapi";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: "program" };
const clientAuth = oauth.ClientSecretBasic(settings.clientSecret);
const told = {};

// The gateway's metadata lead to the authorization server.
async function discover(path) {
  const resource = new URL(path, settings.gateway);
  const answer = await oauth.resourceDiscoveryRequest(resource, insecure);
  const metadata = await oauth.processResourceDiscoveryResponse(resource, answer);
  const issuer = new URL(metadata.authorization_servers[0]);
  const discovery = await oauth.discoveryRequest(issuer, insecure);
  return { metadata, server: await oauth.processDiscoveryResponse(issuer, discovery) };
}

async function grant({ metadata, server }, DPoP) {
  const parameters = new URLSearchParams({ resource: metadata.resource, scope: "read" });
  const options = { ...insecure, ...(DPoP ? { DPoP } : {}) };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, clientAuth, parameters, options);
  return oauth.processClientCredentialsResponse(server, client, answer);
}

const send = async (path, headers) => {
  const answer = await fetch(new URL(path, settings.gateway), { headers });
  return { status: answer.status, reason: answer.headers.get("x-narthex-reason") };
};

for (const path of ["/jwt", "/opaque"]) {
  const found = await discover(path);
  const bearer = await grant(found);
  told[path] = {
    metadata: found.metadata,
    form: bearer.access_token.split(".").length,
    bearer: await send(path, { authorization: `Bearer ${bearer.access_token}` }),
    again: await send(path, { authorization: `Bearer ${bearer.access_token}` }),
  };

  const keys = await oauth.generateKeyPair("ES256", { extractable: true });
  const DPoP = oauth.DPoP(client, keys);
  const bound = await grant(found, DPoP);
  const url = new URL(path, settings.gateway);
  const answers = [];
  for (let round = 0; round < 3; round += 1) {
    const answer = await oauth.protectedResourceRequest(bound.access_token, "GET", url, undefined, undefined, { ...insecure, DPoP });
    answers.push(answer.status);
  }
  const others = await generateKeyPair("ES256");
  const stolen = await generateProof(others, url.href, "GET", undefined, bound.access_token);
  const proof = await generateProof(keys, url.href, "GET", undefined, bound.access_token);
  const headers = { authorization: `DPoP ${bound.access_token}`, dpop: proof };
  told[path].dpop = {
    type: bound.token_type.toLowerCase(),
    answers,
    bearer: await send(path, { authorization: `Bearer ${bound.access_token}` }),
    stolen: await send(path, { ...headers, dpop: stolen }),
    first: await send(path, headers),
    replayed: await send(path, headers),
  };
}
console.log(JSON.stringify(told));
