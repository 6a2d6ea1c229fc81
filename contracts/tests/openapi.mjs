// Prints what Redocly's linter says of each OpenAPI document: [{file, code, message, pointer}].
import core from "@redocly/openapi-core";

// What is wrong, and not what is a matter of taste.
const rules = [
  "struct",
  "no-unresolved-refs",
  "no-ambiguous-paths",
  "no-duplicated-tag-names",
  "no-identical-paths",
  "no-invalid-media-type-examples",
  "no-invalid-parameter-examples",
  "no-path-trailing-slash",
  "operation-operationId",
  "operation-operationId-unique",
  "operation-operationId-url-safe",
  "operation-parameters-unique",
  "operation-summary",
  "path-declaration-must-exist",
  "path-not-include-query",
  "path-parameters-defined",
];
const config = await core.createConfig({
  rules: Object.fromEntries(rules.map((rule) => [rule, "error"])),
});

const said = [];
for (const file of process.argv.slice(2)) {
  for (const problem of await core.lint({ ref: file, config })) {
    const [{ pointer }] = problem.location;
    said.push({ file, code: problem.ruleId, message: problem.message, pointer });
  }
}
console.log(JSON.stringify(said));
