// An OpenID provider that is not ours: npm `oidc-provider`, with refresh, rotation and back-channel logout.
//
//   node oidc-provider.mjs settings.json
//
// The settings are {"port", "key": PEM, "kid", "clientSecret", "redirectUris", "backchannelLogoutUri", "idTokenSeconds", "asks"}. It
// listens on 127.0.0.1 and prints `listening`. With `asks`, a page asks for the user's name. Without it, a browser is signed in
// without a question, as the user in the header `x-test-user`, or as `ada`.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const issuer = `http://127.0.0.1:${settings.port}`;
const jwk = { ...createPrivateKey(settings.key).export({ format: "jwk" }), kid: settings.kid, alg: "RS256", use: "sig" };
const counts = { code: 0, refresh: 0 };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "narthex",
      client_secret: settings.clientSecret,
      redirect_uris: settings.redirectUris,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      backchannel_logout_uri: settings.backchannelLogoutUri,
      backchannel_logout_session_required: true,
    },
  ],
  jwks: { keys: [jwk] },
  cookies: { keys: ["a key of the tests"] },
  pkce: { required: () => true },
  scopes: ["openid", "offline_access", "profile", "email", "groups"],
  claims: { openid: ["sub"], profile: ["name"], email: ["email"], groups: ["groups"] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  // The gateway of the tests listens on this machine, where the provider sends nothing by default.
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
  rotateRefreshToken: true,
  ttl: { IdToken: () => settings.idTokenSeconds, AccessToken: 3600, RefreshToken: 86_400, Session: 86_400, Grant: 86_400, Interaction: 600 },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: id, email: `${id}@example.com`, groups: ["staff"] }),
  }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session, provider: own } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return own.Grant.find(known);
    const grant = new own.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid offline_access profile email groups");
    await grant.save();
    return grant;
  },
});
provider.on("grant.success", (ctx) => {
  counts[ctx.oidc.params.grant_type === "refresh_token" ? "refresh" : "code"] += 1;
});
provider.on("server_error", (_, error) => console.error(error));
provider.on("grant.error", (_, error) => console.error(error.error, error.error_description, error.error_detail));
provider.on("authorization.error", (_, error) => console.error(error.error, error.error_description));
provider.on("backchannel.error", (_, error) => console.error("backchannel", error.message));
provider.on("backchannel.success", () => console.log("backchannel ok"));

const page = `<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">
<form method="post"><label>User <input name="user"></label><button>Continue</button></form></html>`;

async function form(request) {
  let body = "";
  for await (const part of request) body += part;
  return new URLSearchParams(body);
}

const handle = provider.callback();
const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, issuer);
    if (pathname === "/counts") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(counts));
    } else if (pathname.startsWith("/interaction/") && settings.asks && request.method === "GET") {
      response.setHeader("content-type", "text/html");
      response.end(page);
    } else if (pathname.startsWith("/interaction/")) {
      const accountId = settings.asks ? (await form(request)).get("user") : request.headers["x-test-user"] ?? "ada";
      await provider.interactionFinished(request, response, { login: { accountId } }, { mergeWithLastSubmission: false });
    } else {
      await handle(request, response);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end();
  }
});
server.listen(settings.port, "127.0.0.1", () => console.log("listening"));
