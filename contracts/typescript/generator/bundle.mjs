// Reads a bundle of contracts. tools/contracts/bundle.py says what is in one.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const FORMAT = 1;
export const ENVELOPE = "events/envelope.schema.json";

/** A bundle can't be read. The message is one line. */
export class BundleError extends Error {}

/** A bundle in memory: its manifest, and every document by its path. */
export class Bundle {
  constructor(folder) {
    this.folder = folder;
    this.manifest = this.read("manifest.json");
    if (this.manifest.format !== FORMAT) {
      throw new BundleError(`The bundle's format must be ${FORMAT} (got ${this.manifest.format}).`);
    }
    this.errors = this.read("errors.json");
    this.schemas = new Map();
    for (const { schema } of Object.values(this.manifest.dtos)) {
      this.schemas.set(schema, this.read(schema));
    }
    for (const { schema } of this.events()) {
      this.schemas.set(schema, this.read(schema));
    }
    this.schemas.set(ENVELOPE, this.read(ENVELOPE));
  }

  read(name) {
    const file = path.join(this.folder, name);
    if (!existsSync(file)) throw new BundleError(`The bundle has no ${name}.`);
    try {
      return JSON.parse(readFileSync(file, "utf8"));
    } catch (error) {
      throw new BundleError(`The bundle's ${name} is no JSON: ${error.message}`);
    }
  }

  /** Every version of every type of event, by name and then from old to new. */
  events() {
    return Object.entries(this.manifest.events).flatMap(([type, { versions }]) =>
      Object.entries(versions)
        .map(([version, { schema }]) => ({ type, version: Number(version), schema }))
        .sort((one, other) => one.version - other.version),
    );
  }

  /** What a $ref in the document at `from` leads to, and the document that is in. */
  resolve(ref, from) {
    const [file, pointer = ""] = ref.split("#");
    const at = file ? path.posix.join(path.posix.dirname(from), file) : from;
    let schema = this.schemas.get(at);
    for (const token of pointer.split("/").slice(1)) {
      schema = schema?.[token.replaceAll("~1", "/").replaceAll("~0", "~")];
    }
    if (schema === undefined) throw new BundleError(`${from}: ${ref} leads nowhere.`);
    return { schema, at, pointer };
  }
}

/** user.email_verified -> UserEmailVerified */
export function pascal(text) {
  return text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

export const nameOfEvent = (type, version) => `${pascal(type)}EventV${version}`;
