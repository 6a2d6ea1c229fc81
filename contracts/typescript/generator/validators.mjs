// Validators as plain code: nothing is compiled where they run, which a browser may forbid.

import { _ } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import standalone from "ajv/dist/standalone/index.js";

import { ENVELOPE, nameOfEvent } from "./bundle.mjs";

const REQUIRE = /require\("([^"]+)"\)/g;

/** JavaScript that exports `validate<Name>` for every DTO and event, and its declarations. */
export async function validatorsOf(bundle, formats) {
  const ajv = new Ajv2020({
    allErrors: true,
    allowUnionTypes: true,
    code: { source: true, esm: true, formats: _`require("./formats.js").formats` },
    formats,
    ownProperties: true, // "constructor" is a member only where it was sent
    strict: true,
  });
  ajv.addVocabulary(keywordsIn([...bundle.schemas.values()]));
  for (const schema of bundle.schemas.values()) ajv.addSchema(schema);

  const names = { Envelope: ENVELOPE };
  for (const [name, { schema }] of Object.entries(bundle.manifest.dtos)) names[name] = schema;
  for (const { type, version, schema } of bundle.events()) names[nameOfEvent(type, version)] = schema;
  const exported = Object.fromEntries(
    Object.entries(names).map(([name, schema]) => [`validate${name}`, bundle.schemas.get(schema).$id]),
  );
  return {
    code: asModule(standalone.default(ajv, exported)),
    declarations: declarations(Object.keys(names)),
  };
}

/** The keywords of our own, which say nothing of a document. */
function keywordsIn(schema, found = new Set()) {
  if (schema !== null && typeof schema === "object") {
    for (const [key, value] of Object.entries(schema)) {
      if (key.startsWith("x-")) found.add(key);
      keywordsIn(value, found);
    }
  }
  return [...found];
}

/** `require` is no part of modules, though the library writes it. */
function asModule(code) {
  const imports = new Map();
  const body = code.replaceAll(REQUIRE, (_, name) => {
    if (!imports.has(name)) imports.set(name, `module${imports.size}`);
    return imports.get(name);
  });
  const lines = [...imports].map(([name, local]) =>
    name.startsWith(".")
      ? `import * as ${local} from "${name}";\n`
      : `import ${local} from "${name}${name.endsWith(".js") ? "" : ".js"}";\n`,
  );
  return lines.join("") + body.replace(/^"use strict";/, "") + "\n";
}

function declarations(names) {
  return [
    'import type * as types from "./types.js";\n',
    "/** One broken constraint. */\n",
    "export interface Issue {\n",
    "  /** Where, as a JSON Pointer (RFC 6901). */\n",
    "  readonly instancePath: string;\n",
    "  /** The keyword of JSON Schema that is broken. */\n",
    "  readonly keyword: string;\n",
    "  readonly message?: string;\n",
    "  readonly params: Readonly<Record<string, unknown>>;\n",
    "}\n",
    "/** Says whether a document is valid; if it is not, `errors` has the reasons until the next call. */\n",
    "export interface Validator<T> {\n",
    "  (document: unknown): document is T;\n",
    "  errors?: readonly Issue[] | null;\n",
    "}\n",
    "/** What every event has, of a known type or not. */\n",
    "export const validateEnvelope: Validator<object>;\n",
    ...names
      .filter((name) => name !== "Envelope")
      .map((name) => `export const validate${name}: Validator<types.${name}>;\n`),
  ].join("");
}
