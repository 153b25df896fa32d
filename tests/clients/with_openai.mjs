// OpenAI's own client for Node, without a single setting but the address. Arguments: base address, recording.
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

const [url, recording, modules] = process.argv.slice(2);
const require = createRequire(path.join(modules, "index.js"));
const { default: OpenAI } = require("openai");
const about = JSON.parse(await readFile(path.join(modules, "node_modules", "openai", "package.json"), "utf8"));
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", timeout: 300_000 });
const rows = {};

async function check(row, call) {
  try {
    rows[row] = (await call()) ? "yes" : "no: another answer";
  } catch (error) {
    rows[row] = `no: ${error.constructor.name}: ${String(error.message).slice(0, 90)}`;
  }
}

const models = [];
for await (const model of client.models.list()) models.push(model);
const writer = models.find((model) => model.kind === "generate" && !model.alias_of).id;
const messages = [{ role: "user", content: "Say good morning to the crew." }];
const chat = (more) => client.chat.completions.create({ model: writer, messages, max_tokens: 60, ...more });
const schema = {
  type: "object", additionalProperties: false, required: ["urgent"], properties: { urgent: { type: "boolean" } },
};
const tool = { type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } };
const long = "The crew repairs the launch, and nobody moves the crash. ".repeat(200);
const sound = () => createReadStream(recording);

await check("models are listed", () => models.some((model) => model.id === "whisper-1"));
await check("chat", async () => (await chat()).choices[0].message.content);
await check("chat, streamed", async () => {
  let text = "";
  for await (const chunk of await chat({ stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
  return text === (await chat()).choices[0].message.content;
});
await check("chat, cut at max_tokens", async () => (await chat({ max_tokens: 3 })).choices[0].finish_reason === "length");
await check("chat, stop sequence", async () => !(await chat({ stop: [" "] })).choices[0].message.content.includes(" "));
await check("chat, JSON schema", async () => {
  const response_format = { type: "json_schema", json_schema: { name: "note", strict: true, schema } };
  return "urgent" in JSON.parse((await chat({ response_format })).choices[0].message.content);
});
await check("chat, tools refused in words", async () => {
  try {
    await chat({ tools: [tool] });
    return false;
  } catch (error) {
    return error.status === 400 && error.message.includes("Tools are not supported");
  }
});
const embed = (input) => client.embeddings.create({ model: "text-embedding-3-small", input });
await check("embeddings", async () => (await embed(["a", "b"])).data.length === 2);
await check("embeddings of token ids", async () => (await embed([[15339, 1917]])).data[0].embedding.length > 0);
await check("embeddings of long texts", async () => (await embed(long)).usage.prompt_tokens > 1500);
const transcribe = (more) => client.audio.transcriptions.create({ model: "whisper-1", file: sound(), ...more });
await check("transcription", async () => (await transcribe()).text);
await check("transcription, verbose_json with words", async () => {
  const verbose = await transcribe({ response_format: "verbose_json", timestamp_granularities: ["word"] });
  return verbose.words.length > 0 && verbose.language === "english";
});
await check("transcription, en-US at temperature 0.2", async () => (await transcribe({ language: "en-US", temperature: 0.2 })).text);
await check("transcription, deltas while it is heard", async () => {
  let text = "", done = "", deltas = 0;
  for await (const event of await transcribe({ stream: true, language: "en", prompt: "Node" })) {
    if (event.type === "transcript.text.delta") { text += event.delta; deltas += 1; }
    if (event.type === "transcript.text.done") done = event.text;
  }
  return deltas > 1 && text === done;
});
await check("translation into English", async () => (await client.audio.translations.create({ model: "whisper-1", file: sound() })).text);
await check("found by its headers and deleted", async () => {
  const { response } = await transcribe().withResponse();
  const id = response.headers.get("wordloop-conversation-id");
  return (await client.delete(`/conversations/${id}`)).deleted;
});
console.log(JSON.stringify({ client: "openai (Node)", version: about.version, rows }));
