// Verifies a message with npm `standardwebhooks`: what it says, or that it is refused.
import { Webhook } from "standardwebhooks";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { secret, headers, body } = JSON.parse(text);
try {
  const message = new Webhook(secret).verify(body, headers);
  console.log(JSON.stringify({ accepted: true, detail: message.data.detail }));
} catch (error) {
  console.log(JSON.stringify({ accepted: false, why: error.message }));
}
