// Upload a recording, wait for its job and print the recap: node recap.mjs FILE [URL]
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [file, url = "http://127.0.0.1:8000"] = process.argv.slice(2);

async function ask(path, options) {
  const answer = await fetch(url + path, options);
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer;
}

const form = new FormData();
form.append("file", new Blob([await readFile(file)]), basename(file));
let job = await (await ask("/v1/conversations", { method: "POST", body: form })).json();
while (["queued", "in_progress"].includes(job.status)) {
  job = await (await ask(`/v1/jobs/${job.id}`, { headers: { Prefer: "wait=20" } })).json();
}
if (job.status !== "completed") throw new Error(JSON.stringify(job.error));
console.log(await (await ask(`/v1/recaps/${job.result.recap_id}?format=md`)).text());
