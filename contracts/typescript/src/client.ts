import createClient, { type Client, type ClientOptions } from "openapi-fetch";

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

type Call = (path: string, init?: { headers?: Record<string, unknown> }) => unknown;

/**
 * A client whose bodies are forms where the operation takes one.
 *
 * @param forms Those operations: `POST /auth/token`.
 */
export function client<Paths extends object>(options: ClientOptions, forms: readonly string[]): Client<Paths> {
  const made = createClient<Paths>(options);
  const methods = made as unknown as Record<string, Call>;
  for (const method of new Set(forms.map((form) => form.replace(/ .*/, "")))) {
    const plain = methods[method]!;
    methods[method] = (path, init = {}) =>
      plain(path, forms.includes(`${method} ${path}`) ? { ...init, headers: { ...FORM, ...init.headers } } : init);
  }
  return made;
}
