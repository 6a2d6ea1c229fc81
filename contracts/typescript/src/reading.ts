import type { Validator } from "./validators.js";

/** How events of one type and version are read. */
export interface Reader {
  readonly validate: Validator<object>;
  readonly defaults: Defaults;
}

/** What a reader puts where the writer left something out. */
export interface Defaults {
  readonly value?: unknown;
  /** Of an object. */
  readonly members?: Readonly<Record<string, Defaults>>;
  /** Of each item of a list. */
  readonly items?: Defaults;
}

/** Fill in defaults, in place. */
export function fill(document: unknown, { members, items }: Defaults): void {
  if (items && Array.isArray(document)) {
    for (const item of document) fill(item, items);
  }
  if (members && isRecord(document)) {
    for (const [name, defaults] of Object.entries(members)) {
      if (Object.hasOwn(document, name)) fill(document[name], defaults);
      else if ("value" in defaults) document[name] = structuredClone(defaults.value);
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
