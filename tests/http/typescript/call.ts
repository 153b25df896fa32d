// Asks for a recap and looks at its job, through a client whose types were made from the OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

declare const process: { argv: string[] };

const client = createClient<paths>({ baseUrl: process.argv[2] });
const said = [{ start: 0, end: 1, text: "I will fix it by Friday." }];
const made = await client.POST("/v1/recaps", {
  body: { segments: said, template: { sections: ["summary"] } },
  params: { header: { "Idempotency-Key": "typescript" } },
});
if (made.error) throw new Error(made.error.detail);
const job: components["schemas"]["JobView"] = made.data;
const looked = await client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: job.id } } });
if (looked.error) throw new Error(looked.error.detail);
const data = looked.data;
// @ts-expect-error links have names: this is none of them
export const unknownLink = () => data.links.nowhere;
// @ts-expect-error what there is not yet is left out
export const perhapsAbsent = () => data.result.recap_id.length;
const refused = await client.POST("/v1/recaps", { body: { segments: [] } });
console.log(
  JSON.stringify({ id: looked.data.id, events: looked.data.links.events, refusal: refused.error?.errors?.[0].location }),
);
