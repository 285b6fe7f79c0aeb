// Opens a WebSocket with a client that is not ours, sends a text and a large binary message, and waits for both to
// come back.
//
//   node ws-echo.mjs ws://127.0.0.1:8080/path TOKEN
//
// Prints `ok`, or what went wrong on standard error.
import WebSocket from "ws";

const [url, token] = process.argv.slice(2);
const messages = ["héllo", Buffer.alloc(200_000, 7)];
const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
let received = 0;

const fail = (what) => {
  console.error(what);
  process.exit(1);
};
setTimeout(() => fail("nothing came back in 10 s"), 10_000).unref();
socket.on("error", (error) => fail(error.message));
socket.on("open", () => messages.forEach((message) => socket.send(message)));
socket.on("message", (data) => {
  if (!Buffer.from(messages[received]).equals(data)) fail(`message ${received} came back changed`);
  received += 1;
  if (received === messages.length) socket.close(1000);
});
socket.on("close", (code) => {
  if (received !== messages.length || code !== 1000) fail(`closed with ${code} after ${received} messages`);
  console.log("ok");
  process.exit(0);
});
