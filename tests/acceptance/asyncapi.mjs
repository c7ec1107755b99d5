// Ends with 0 if the AsyncAPI document named is valid, else with 1 and what is wrong with it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [document, folder] = process.argv.slice(2);
const { Parser } = createRequire(`${folder}/`)("@asyncapi/parser");
const { diagnostics } = await new Parser().parse(readFileSync(document, "utf8"));
const errors = diagnostics.filter(({ severity }) => severity < 2);
for (const { path, message } of errors) console.log(`${path.join(".")}: ${message}`);
process.exitCode = errors.length ? 1 : 0;
