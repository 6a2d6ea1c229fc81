// Errors of services: application/problem+json (RFC 9457).

import { ERROR_CODES, type ErrorStatuses } from "./codes.js";
import type { ProblemMembers } from "./types.js";

/** The stable name of a kind of error. */
export type ErrorCode = keyof ErrorStatuses;

/** An error with a code, or with any; `code` says which. Members beyond these are facts about it. */
export type Problem<C extends ErrorCode = ErrorCode> = {
  [K in C]: Omit<ProblemMembers, "code" | "status"> & {
    code: K;
    status: ErrorStatuses[K];
    [fact: string]: unknown;
  };
}[C];

/** Whether *value* is a problem with a code of this release, and, if codes are given, with one of them. */
export function isProblem<C extends ErrorCode = ErrorCode>(value: unknown, ...codes: C[]): value is Problem<C> {
  if (typeof value !== "object" || value === null) return false;
  const { code, status, title, type, detail } = value as Record<string, unknown>;
  const wanted: readonly string[] = codes.length > 0 ? codes : ERROR_CODES;
  return (
    typeof code === "string" &&
    wanted.includes(code) &&
    typeof status === "number" &&
    [title, type, detail].every((member) => typeof member === "string")
  );
}
