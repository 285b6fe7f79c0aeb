// An MCP client as it comes: npm `@modelcontextprotocol/sdk`. It knows the address of an MCP server and nothing else; it finds the
// authorization server through the refusal, registers, signs in, and calls the tool `whoami`.
//
//   node mcp-client.mjs URL
//
// It prints one line of JSON: {"caller", "resource", "issuer", "scope"}.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const url = new URL(process.argv[2]);
const redirect = "https://client.example/callback";
const kept = {};

// The part of a client that an application writes: it keeps what it is given, and opens a browser.
const authProvider = {
  get redirectUrl() {
    return redirect;
  },
  get clientMetadata() {
    return {
      client_name: "a client of the tests",
      redirect_uris: [redirect],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => (kept.verifier = verifier),
  redirectToAuthorization: (address) => (kept.address = address),
};

// A browser, as far as cookies and redirects go.
async function code(address) {
  const cookies = new Map();
  let next = address;
  for (let step = 0; step < 12; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(next, { redirect: "manual", headers: cookie ? { cookie } : {} });
    for (const set of answer.headers.getSetCookie()) {
      const [name, ...value] = set.split(";")[0].split("=");
      cookies.set(name, value.join("="));
    }
    const location = answer.headers.get("location");
    if (!location) throw new Error(`no redirect from ${next}: ${answer.status} ${await answer.text()}`);
    next = new URL(location, next);
    if (next.href.startsWith(redirect)) return next.searchParams.get("code");
  }
  throw new Error("there is no end of redirects");
}

const connect = async () => {
  const client = new Client({ name: "a client of the tests", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(url, { authProvider });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(await code(kept.address));
    return null;
  }
};

const client = (await connect()) ?? (await connect());
const result = await client.callTool({ name: "whoami", arguments: {} });
await client.close();
console.log(
  JSON.stringify({
    caller: result.content[0].text,
    resource: kept.address.searchParams.get("resource"),
    issuer: kept.address.origin,
    scope: kept.address.searchParams.get("scope"),
  }),
);
