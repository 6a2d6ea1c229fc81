// The package.json that is published.

const RUNTIME = ["ajv", "ajv-formats", "openapi-fetch"];

/** Its text. The versions that the package was tested with are the least that it takes. */
export function packageOf(bundle, workshop, version) {
  const file = (name) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });
  const clients = Object.keys(bundle.manifest.services).map((name) => [
    `./clients/${name}`,
    file(`clients/${name}`),
  ]);
  return `${JSON.stringify(
    {
      name: "@creativeflow/contracts",
      version,
      description: "Types, validators, errors, events and typed clients of the CreativeFlow platform.",
      license: "MIT",
      type: "module",
      sideEffects: false,
      engines: { node: ">=20.19" },
      exports: {
        ".": file("index"),
        "./validators": file("validators"),
        ...Object.fromEntries(clients),
        "./package.json": "./package.json",
      },
      files: ["dist"],
      dependencies: Object.fromEntries(RUNTIME.map((name) => [name, `^${workshop.devDependencies[name]}`])),
    },
    undefined,
    2,
  )}\n`;
}
