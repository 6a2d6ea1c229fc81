// A typed client for each OpenAPI document.

import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

import { pascal } from "./bundle.mjs";

const FORM = "application/x-www-form-urlencoded";
const COMPONENT = "#/components/schemas/";

/** Names of files and their TypeScript: two for each service. */
export async function clientsOf(bundle) {
  const files = {};
  for (const [name, { openapi }] of Object.entries(bundle.manifest.services)) {
    const document = bundle.read(openapi);
    files[`clients/${name}.paths.ts`] = await paths(document, bundle);
    files[`clients/${name}.ts`] = client(name, document);
  }
  return files;
}

async function paths(document, bundle) {
  const ast = await openapiTS(document, {
    alphabetize: true,
    defaultNonNullable: false,
    inject: 'import type { Problem } from "../problems.js";\nimport type * as types from "../types.js";\n',
    silent: true,
    // What has a type already is that type.
    transform(_, { path }) {
      const name = path?.startsWith(COMPONENT) ? path.slice(COMPONENT.length) : undefined;
      if (name === "Problem") return reference("Problem");
      const dto = name === undefined ? undefined : bundle.manifest.dtos[name];
      return dto && dto.direction !== "both" ? reference(`types.${name}`) : undefined;
    },
  });
  return astToString(ast);
}

function reference(name) {
  return ts.factory.createTypeReferenceNode(name);
}

function client(name, document) {
  const forms = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { requestBody }]) => FORM in (requestBody?.content ?? {}))
      .map(([method]) => `${method.toUpperCase()} ${path}`),
  );
  return `import type { Client, ClientOptions } from "openapi-fetch";

import { client } from "../client.js";
import type { paths } from "./${name}.paths.js";

export type { components, operations, paths } from "./${name}.paths.js";

/** A client of ${name}: \`await client.GET("/path")\` has \`data\`, or \`error\`, which is a \`Problem\`. */
export function create${pascal(name)}Client(options: ClientOptions): Client<paths> {
  return client<paths>(options, ${JSON.stringify(forms)});
}
`;
}
