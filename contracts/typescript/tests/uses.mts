// What must compile. Run as well: it throws where a value is not what its type says.

import assert from "node:assert/strict";

import {
  ERROR_CODES,
  EVENT_TYPES,
  isProblem,
  newEvent,
  readEvent,
  toMessage,
  type BrandKitCreateDTO,
  type ErrorCode,
  type Event,
  type EventOf,
  type EventType,
  type Problem,
  type TeamRole,
  type UserCreditsChangedPayload,
  type UserResponseDTO,
} from "@creativeflow/contracts";
import { createAccountsClient } from "@creativeflow/contracts/clients/accounts";
import { validateUserCreateDTO } from "@creativeflow/contracts/validators";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => undefined;

// A member with a default may be left out by who sends it, and is there for who gets it.
const kit: BrandKitCreateDTO = { name: "Acme", fonts: [{ role: "Headlines", family: "Inter" }] };
assert.equal(kit.is_default, undefined);
same<UserResponseDTO["full_name"], string | null>(true);
same<TeamRole, "owner" | "admin" | "editor" | "viewer">(true);

// The type of an event decides its payload.
function amountOf(event: Event): number | undefined {
  switch (event.event_type) {
    case "user.credits_changed":
      same<typeof event.payload, UserCreditsChangedPayload>(true);
      return event.payload.amount;
    default:
      return undefined;
  }
}
same<EventOf<"user.credits_changed">["schema_version"], 1>(true);
const types: readonly EventType[] = EVENT_TYPES;
assert.ok(types.includes("user.registered"));

const event = newEvent(
  "user.credits_changed",
  1,
  {
    user_id: "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
    amount: 12.5,
    credit_balance: 20,
    reason: "purchase",
    generation_id: null,
  },
  { correlation_id: "abc-123" },
);
assert.equal(amountOf(event), 12.5);
const read = readEvent(toMessage(event).content);
if (!read.known) same<typeof read.event.payload, unknown>(true);
assert.deepEqual(read, { known: true, event });

// The code of a problem decides its status.
function statusOf(problem: Problem): 409 | undefined {
  return problem.code === "conflict" ? problem.status : undefined;
}
const codes: readonly ErrorCode[] = ERROR_CODES;
const problem: unknown = { type: "about:blank", title: "Conflict", status: 409, detail: "Taken.", code: "conflict" };
assert.ok(codes.includes("conflict") && isProblem(problem) && statusOf(problem) === 409);
if (isProblem(problem, "validation_error", "not_found")) same<typeof problem.status, 404 | 422>(true);

// A validator is a type guard.
const document: unknown = { email: "ada@example.com", password: "Correct-Horse-9" };
assert.ok(validateUserCreateDTO(document));
same<typeof document.email, string>(true);

// An operation knows its body, its reply and its errors.
const client = createAccountsClient({ baseUrl: "http://127.0.0.1:9" });
type Registration = Awaited<ReturnType<typeof register>>;
const register = () => client.POST("/users", { body: document });
same<NonNullable<Registration["data"]>, UserResponseDTO>(true);
same<NonNullable<Registration["error"]>["code"], ErrorCode>(true);
