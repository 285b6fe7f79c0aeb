// An MCP server without a line of auth code: npm `@modelcontextprotocol/sdk`.
//
//   node mcp-server.mjs PORT
//
// It prints `listening`. Its one tool says who Narthex says is calling.
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const listener = createServer(async (request, response) => {
  const server = new McpServer({ name: "tools", version: "1.0.0" });
  server.registerTool("whoami", { description: "Says who is calling." }, async () => ({
    content: [{ type: "text", text: request.headers["x-narthex-external-id"] ?? "no caller" }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on("close", () => {
    transport.close();
    server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response);
});
listener.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
