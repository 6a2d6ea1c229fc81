// The codes of errors.

/** TypeScript with every code, its statuses, and what it means. */
export function errorsOf({ errors: { kernel, services } }) {
  const codes = new Map();
  for (const entry of [...kernel, ...Object.values(services).flat()]) {
    const known = codes.get(entry.code) ?? { statuses: new Set(), when: new Set() };
    for (const status of [entry.status, ...entry.other_statuses]) known.statuses.add(status);
    known.when.add(entry.when);
    codes.set(entry.code, known);
  }
  const sorted = [...codes].sort(([one], [other]) => (one < other ? -1 : 1));
  return [
    "/** Every code, and the statuses that it comes with. */\n",
    "export interface ErrorStatuses {\n",
    ...sorted.map(
      ([code, { statuses, when }]) =>
        `  /** ${[...when].join(" Or: ").replaceAll("*/", "*\\/")} */\n  ${code}: ${[...statuses].join(" | ")};\n`,
    ),
    "}\n\n",
    "/** Every code. A service may be newer than this list. */\n",
    `export const ERROR_CODES = ${JSON.stringify(sorted.map(([code]) => code))} as const;\n`,
  ].join("");
}
