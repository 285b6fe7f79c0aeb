// A service that connections talk to: it checks their tokens with npm `jsonwebtoken`, a library that is not ours.
//
//   node token-service.mjs settings.json
//
// The settings are {"secret", "publicKey": PEM, "appId"}. Prints the port it listens on, on 127.0.0.1.
//
//   GET  /connect                              HS512, the document of Make's documentation
//   POST /oauth/token                          OAuth 2 JWT bearer (RFC 7523), RS256
//   POST /app/installations/ID/access_tokens   as GitHub has it for its apps, RS256
//   any  /echo/STATUS                          everything of the request, as an error message of that status
//   GET  /redirect?to=URL                      a redirect
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import jsonwebtoken from "jsonwebtoken";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));

const bearer = (request) => (request.headers.authorization ?? "").replace(/^Bearer /, "");

const routes = {
  "/connect"(request) {
    const claims = jsonwebtoken.verify(bearer(request), settings.secret, {
      algorithms: ["HS512"],
      issuer: "https://iam.the.issu.er",
      audience: "https://iam.the.audien.ce/services/rest/auth/oauth2/v1/token",
    });
    return { ok: true, scope: claims.scope, kid: jsonwebtoken.decode(bearer(request), { complete: true }).header.kid };
  },
  "/oauth/token"(request, body) {
    const form = new URLSearchParams(body);
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      throw Object.assign(new Error("grant_type"), { code: "unsupported_grant_type" });
    }
    const claims = jsonwebtoken.verify(form.get("assertion"), settings.publicKey, {
      algorithms: ["RS256"],
      audience: `http://127.0.0.1:${server.address().port}/oauth/token`,
    });
    if (!claims.exp || claims.exp - claims.iat > 3600 || !claims.jti) throw new Error("exp or jti");
    return { access_token: `at-${claims.sub}-${claims.iat}`, token_type: "Bearer", expires_in: 3600, scope: claims.scope };
  },
  "/app/installations"(request) {
    const claims = jsonwebtoken.verify(bearer(request), settings.publicKey, {
      algorithms: ["RS256"],
      issuer: settings.appId,
    });
    // GitHub allows ten minutes at the most.
    if (claims.exp - claims.iat > 600) throw new Error("'Expiration time' claim ('exp') is too far in the future");
    if (!request.headers["user-agent"] || request.headers["accept"] !== "application/vnd.github+json") {
      throw new Error("headers");
    }
    // What a proxy in between may answer.
    if (request.url.includes("/78/")) return {};
    return { token: "ghs_0123456789abcdef", expires_at: new Date((claims.iat + 3600) * 1000).toISOString() };
  },
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const url = new URL(request.url, "http://127.0.0.1");
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (url.pathname.startsWith("/echo/")) {
    const message = [request.url, decodeURIComponent(request.url), ...request.rawHeaders, body].join(" ");
    return answer(Number(url.pathname.slice(6)), { error: { message } });
  }
  if (url.pathname === "/redirect") {
    response.writeHead(302, { location: url.searchParams.get("to") });
    return response.end();
  }
  const route = Object.keys(routes).find((prefix) => url.pathname.startsWith(prefix));
  if (!route) return answer(404, { error: { message: "no such place" } });
  try {
    answer(200, { ...routes[route](request, body), sent: request.rawHeaders });
  } catch (error) {
    answer(401, { error: error.code ?? "invalid_grant", error_description: error.message, message: error.message });
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
