// An authorization server that is not ours: npm `oidc-provider`, for access tokens as JWT and opaque, with DPoP, introspection,
// resource indicators and dynamic registration of clients.
//
//   node access-token-provider.mjs settings.json
//
// The settings are {"port", "key": PEM, "kid", "clientSecret", "audience"}. It listens on 127.0.0.1 and prints `listening`. A browser is
// signed in without a question, as `ada`. A resource whose path begins with `/opaque` gets opaque tokens.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const issuer = `http://127.0.0.1:${settings.port}`;
const jwk = { ...createPrivateKey(settings.key).export({ format: "jwk" }), kid: settings.kid, alg: "RS256", use: "sig" };
const scope = "read write tools";

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "program",
      client_secret: settings.clientSecret,
      redirect_uris: [],
      response_types: [],
      grant_types: ["client_credentials"],
    },
    {
      client_id: "narthex",
      client_secret: settings.clientSecret,
      redirect_uris: [],
      response_types: [],
      grant_types: ["client_credentials"],
    },
  ],
  jwks: { keys: [jwk] },
  cookies: { keys: ["a key of the tests"] },
  pkce: { required: () => true },
  scopes: ["openid", "offline_access", "read", "write", "tools"],
  clientBasedCORS: () => true,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope,
        audience: settings.audience,
        accessTokenTTL: 600,
        accessTokenFormat: new URL(resource).pathname.startsWith("/opaque") ? "opaque" : "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session, params, provider: own } = ctx.oidc;
    const grant = new own.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(`openid offline_access ${scope}`);
    for (const resource of [params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, scope);
    await grant.save();
    return grant;
  },
});
for (const event of ["server_error", "grant.error", "authorization.error", "registration_create.error", "introspection.error"]) {
  provider.on(event, (_, error) => console.error(event, error.error ?? error, error.error_description ?? "", error.error_detail ?? ""));
}

const handle = provider.callback();
const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, issuer);
    if (pathname.startsWith("/interaction/")) {
      await provider.interactionFinished(request, response, { login: { accountId: "ada" } }, { mergeWithLastSubmission: false });
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
