// Types from JSON Schemas.
//
// The schemas say what a reader accepts, so that a member with a default may be absent. What
// somebody else wrote has every member that `x-written` names: there the type promises more.

import { compile } from "json-schema-to-typescript";

import { nameOfEvent } from "./bundle.mjs";

// About documents, or about programs that we are not; a title would become a type of its own.
const LEFT_OUT = new Set(["$defs", "$id", "$schema", "default", "examples", "title"]);

// What the library adds to every description.
const PROVENANCE = /( \*\n)? \* This interface was referenced by `Everything`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g;
const NO_MORE_TO_SAY = /\/\*\*\n \*\/\n/g;
const EVERYTHING = /export interface Everything \{\n.*\n\}\n/;

const REF = "#/definitions/";

/** TypeScript that exports a type for every DTO, payload and event. */
export async function typesOf(bundle) {
  const types = new Types(bundle);
  for (const name of Object.keys(bundle.manifest.dtos)) types.addDto(name);
  for (const event of bundle.events()) types.addEvent(event);
  types.addProblem();
  return compile({ definitions: types.definitions }, "Everything", {
    additionalProperties: false, // of what is written; a reader need not look at more
    bannerComment: "",
    ignoreMinAndMaxItems: true,
    unknownAny: true,
    unreachableDefinitions: true,
  }).then((text) => text.replaceAll(PROVENANCE, "").replaceAll(NO_MORE_TO_SAY, "").replace(EVERYTHING, ""));
}

class Types {
  definitions = {};
  pending = new Set();

  constructor(bundle) {
    this.bundle = bundle;
    this.dtoOf = new Map(
      Object.entries(bundle.manifest.dtos).map(([name, entry]) => [entry.schema, { name, ...entry }]),
    );
  }

  addDto(name) {
    const { schema: at, direction } = this.bundle.manifest.dtos[name];
    const schema = this.bundle.schemas.get(at);
    if (direction !== "request") this.#define(name, this.#convert(schema, at, true));
    if (direction === "request") this.#define(name, this.#convert(schema, at, false));
    if (this.#hasInput(at)) this.#define(`${name}Input`, this.#convert(schema, at, false));
  }

  addEvent({ type, version, schema: at }) {
    const schema = this.bundle.schemas.get(at);
    this.#define(nameOfEvent(type, version), this.#convert(schema, at, true));
  }

  addProblem() {
    // Problem adds what other members there may be: Omit forgets all names beside an index signature.
    const { additionalProperties: _, ...known } = this.bundle.errors.problem;
    this.#define("ProblemMembers", this.#convert(known, "errors.json", true));
  }

  // A DTO that both sides write, and not in the same way, is two types.
  #hasInput(at) {
    if (this.dtoOf.get(at)?.direction !== "both") return false;
    const schema = this.bundle.schemas.get(at);
    return JSON.stringify(this.#convert(schema, at, true)) !== JSON.stringify(this.#convert(schema, at, false));
  }

  #define(name, schema) {
    const known = this.definitions[name];
    if (known && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`Two different types are called ${name}.`);
    }
    this.definitions[name] = schema;
  }

  #convert(schema, at, read) {
    if (Array.isArray(schema)) return schema.map((each) => this.#convert(each, at, read));
    if (schema === null || typeof schema !== "object") return schema;
    if ("$ref" in schema) return this.#reference(schema, at, read);
    const converted = {};
    for (const [key, value] of Object.entries(schema)) {
      if (LEFT_OUT.has(key) || key.startsWith("x-")) continue;
      if (key === "properties") {
        converted.properties = Object.fromEntries(
          Object.entries(value).map(([name, each]) => [name, this.#convert(each, at, read)]),
        );
      } else if (key === "enum" || key === "const" || key === "required") {
        converted[key] = value;
      } else {
        converted[key] = this.#convert(value, at, read);
      }
    }
    const written = read ? (schema["x-written"] ?? []) : [];
    const required = [...new Set([...(schema.required ?? []), ...written])];
    if (required.length > 0) converted.required = required;
    return converted;
  }

  #reference({ $ref }, from, read) {
    const { schema, at, pointer } = this.bundle.resolve($ref, from);
    const dto = pointer === "" ? this.dtoOf.get(at) : undefined;
    if (dto) return { $ref: `${REF}${dto.name}${!read && this.#hasInput(at) ? "Input" : ""}` };
    // The members of the envelope are texts and numbers: a name would say nothing.
    if (schema.type !== "object" && !("enum" in schema)) return this.#convert(schema, at, read);
    const name = pointer.slice(pointer.lastIndexOf("/") + 1);
    if (!this.pending.has(name)) {
      this.pending.add(name); // it may hold itself
      this.#define(name, this.#convert(schema, at, read));
      this.pending.delete(name);
    }
    return { $ref: REF + name };
  }
}
