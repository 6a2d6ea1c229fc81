// Writes the npm package: node generate.mjs BUNDLE SOURCES OUT VERSION
//
//   BUNDLE    a bundle of contracts
//   SOURCES   what is written by hand: src/, README.md, package.json
//   OUT       gets the package; what it is compiled from stays in package/ beside this file

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { Bundle, BundleError } from "./bundle.mjs";
import { catalogueOf } from "./catalogue.mjs";
import { clientsOf } from "./clients.mjs";
import { errorsOf } from "./errors.mjs";
import { packageOf } from "./package.mjs";
import { typesOf } from "./types.mjs";
import { validatorsOf } from "./validators.mjs";

const COMPILER = {
  declaration: true,
  exactOptionalPropertyTypes: true,
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  module: "nodenext",
  noUncheckedIndexedAccess: true,
  outDir: "dist",
  rootDir: "src",
  strict: true,
  target: "es2022",
  types: [],
  verbatimModuleSyntax: true,
};

const WRITTEN = "// Made from the contracts by contracts/typescript; do not edit.\n";

process.on("uncaughtException", (error) => {
  console.error(error instanceof BundleError ? error.message : error.stack);
  process.exit(1);
});

const [, , bundleFolder, sources, out, version] = process.argv;
const took = stopwatch();
const bundle = new Bundle(bundleFolder);

// Compiled where the npm packages are found.
const work = path.join(import.meta.dirname, "package");
rmSync(work, { recursive: true, force: true });
mkdirSync(path.join(work, "src"), { recursive: true });
for (const name of readdirSync(path.join(sources, "src"))) {
  // In a sandbox it is a link, and packages would be looked for where that leads.
  writeFileSync(path.join(work, "src", name), readFileSync(path.join(sources, "src", name)));
}
mkdirSync(path.join(work, "src", "clients"));
mkdirSync(path.join(work, "dist"));
// It also says that these are modules.
const own = JSON.parse(readFileSync(path.join(sources, "package.json"), "utf8"));
writeFileSync(path.join(work, "package.json"), packageOf(bundle, own, version));

const { formats } = await import(pathToFileURL(path.join(work, "src", "formats.ts")));
const { code, declarations } = await validatorsOf(bundle, formats);
const files = {
  "catalogue.ts": catalogueOf(bundle),
  "codes.ts": errorsOf(bundle),
  "types.ts": await typesOf(bundle),
  "validators.d.ts": declarations,
  ...(await clientsOf(bundle)),
};
for (const [name, text] of Object.entries(files)) {
  writeFileSync(path.join(work, "src", name), WRITTEN + text);
}
for (const [name, text] of Object.entries({ "validators.js": code, "validators.d.ts": declarations })) {
  writeFileSync(path.join(work, "dist", name), WRITTEN + text);
}
took("generate");

writeFileSync(path.join(work, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER, include: ["src"] }));
compile(work);
took("compile");

writeFileSync(path.join(work, "README.md"), readFileSync(path.join(sources, "README.md")));
for (const name of ["package.json", "README.md", "dist"]) {
  cpSync(path.join(work, name), path.join(out, name), { recursive: true });
}

function compile(folder) {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  try {
    execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  } catch (error) {
    console.error(error.stdout || error.message);
    process.exit(1);
  }
}

function stopwatch() {
  let start = performance.now();
  return (what) => {
    console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    start = performance.now();
  };
}
