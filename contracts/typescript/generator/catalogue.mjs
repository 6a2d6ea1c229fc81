// The events, by type and version.

import { nameOfEvent } from "./bundle.mjs";

/** TypeScript with the map of types, and with what it takes to read each. */
export function catalogueOf(bundle) {
  const types = Object.groupBy(bundle.events(), ({ type }) => type);
  const each = (line) =>
    Object.entries(types)
      .map(([type, versions]) => `  ${JSON.stringify(type)}: {\n${versions.map(line).join("")}  },\n`)
      .join("");
  return [
    'import type { Reader } from "./reading.js";\n',
    'import type * as types from "./types.js";\n',
    'import * as validators from "./validators.js";\n\n',
    "/** Every event, by its type and the version of its payload. */\n",
    `export interface Events {\n${each(
      ({ type, version }) => `    ${version}: types.${nameOfEvent(type, version)};\n`,
    )}}\n\n`,
    "/** How each is read. */\n",
    `export const READERS: Readonly<Record<keyof Events, Readonly<Record<number, Reader>>>> = {\n${each(
      ({ type, version, schema }) =>
        `    ${version}: { validate: validators.validate${nameOfEvent(type, version)}, ` +
        `defaults: ${JSON.stringify(defaultsOf(bundle, schema))} },\n`,
    )}} \n`,
  ].join("");
}

/** Where the schema at a path has defaults; src/reading.ts puts them there. */
function defaultsOf(bundle, at) {
  const under = (schema, from) => {
    if ("$ref" in schema) {
      const { schema: target, at: place } = bundle.resolve(schema.$ref, from);
      return under(target, place);
    }
    const defaults = {};
    if ("default" in schema) defaults.value = schema.default;
    if (schema.items) {
      const items = under(schema.items, from);
      if (Object.keys(items).length > 0) defaults.items = items;
    }
    const members = Object.entries(schema.properties ?? {})
      .map(([name, member]) => [name, under(member, from)])
      .filter(([, found]) => Object.keys(found).length > 0);
    if (members.length > 0) defaults.members = Object.fromEntries(members);
    return defaults;
  };
  return under(bundle.schemas.get(at), at);
}
