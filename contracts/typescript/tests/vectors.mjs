// Gives a verdict of its own on every vector of a bundle: node vectors.mjs BUNDLE
//
// Prints one JSON object: how many there were, which verdicts are neither Python's nor listed, and those
// that are listed.

import { readFileSync } from "node:fs";
import path from "node:path";

import { readEvent } from "@creativeflow/contracts";
import * as validators from "@creativeflow/contracts/validators";

const [, , bundle] = process.argv;
const load = (name) => JSON.parse(readFileSync(path.join(bundle, name), "utf8"));
const pascal = (text) => text.replaceAll(/(?:^|[^A-Za-z0-9]+)([a-z])/g, (_, letter) => letter.toUpperCase());

const report = { schemas: 0, valid: 0, invalid: 0, differences: [], listed: [] };
const { dtos, events } = load("manifest.json");
for (const [name, entry] of Object.entries(dtos)) check(name, entry.vectors);
for (const [type, { versions }] of Object.entries(events)) {
  for (const [version, entry] of Object.entries(versions)) {
    check(`${pascal(type)}EventV${version}`, entry.vectors, ({ name, document }) => {
      const read = readEvent(JSON.stringify(document));
      if (!read.known) differs(entry.vectors, name, "readEvent does not know it");
    });
  }
}
console.log(JSON.stringify(report));

function check(name, file, also = () => undefined) {
  const validate = validators[`validate${name}`];
  const { valid, invalid, differs: listed } = load(file);
  report.schemas += 1;
  for (const vector of valid) {
    report.valid += 1;
    if (!validate(vector.document)) differs(file, vector.name, "refused", validate.errors);
    else also(vector);
  }
  for (const { name: vector, document, pointer, keyword, schema_accepts, reason } of invalid) {
    report.invalid += 1;
    const accepted = validate(document);
    if (schema_accepts) report.listed.push({ file, vector, reason });
    if (accepted !== schema_accepts) {
      differs(file, vector, accepted ? "accepted" : "refused", validate.errors);
    } else if (!accepted && !validate.errors.some((error) => placesOf(error).includes(`${pointer} ${keyword}`))) {
      differs(file, vector, `not refused for ${keyword} at ${pointer}`, validate.errors);
    }
  }
  for (const vector of listed) either(validate, file, vector);
}

// On these Python's reader, its schema and ajv are of two minds. We are of one of both.
function either(validate, file, { name, document, reader, schema, ajv, reason }) {
  const accepted = validate(document);
  if (accepted === reader) return;
  report.listed.push({ file, vector: name, reason });
  if (![schema, ajv].includes(accepted)) differs(file, name, accepted ? "accepted" : "refused", validate.errors);
}

// A member that is missing, or one too many, is meant by its own place.
function placesOf({ instancePath, keyword, params }) {
  const member = params.missingProperty ?? params.additionalProperty ?? params.propertyName;
  const escaped = member?.replaceAll("~", "~0").replaceAll("/", "~1");
  return [`${instancePath} ${keyword}`, `${instancePath}/${escaped} ${keyword}`];
}

function differs(file, vector, verdict, errors = undefined) {
  const issues = errors?.map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  report.differences.push({ file, vector, verdict, issues });
}
