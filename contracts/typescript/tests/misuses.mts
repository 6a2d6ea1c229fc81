// What must not compile: each line after a mark is an error, and the only one.

import {
  EVENT_TYPES,
  newEvent,
  readEvent,
  type BrandKitCreateDTO,
  type Event,
  type EventType,
  type Problem,
  type UserCreateDTO,
  type UserResponseDTO,
} from "@creativeflow/contracts";
import { createAccountsClient } from "@creativeflow/contracts/clients/accounts";
import { validateUserCreateDTO } from "@creativeflow/contracts/validators";

declare const event: Event;
declare const problem: Problem;
declare const user: UserResponseDTO;
const client = createAccountsClient({ baseUrl: "" });
const context = { correlation_id: "abc-123" };
const user_id = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11";

// A required member is missing.
// @ts-expect-error
export const nobody: UserCreateDTO = { email: "ada@example.com" };
// There is no such member.
// @ts-expect-error
export const typo: BrandKitCreateDTO = { name: "Acme", colours: [] };
// null is no text.
// @ts-expect-error
export const name: string = user.full_name;
// undefined is not the same as absent.
// @ts-expect-error
export const vague: BrandKitCreateDTO = { name: "Acme", is_default: undefined };

// There is no such event.
// @ts-expect-error
export const type: EventType = "user.regisered";
// Nothing is known of a payload before the type is.
// @ts-expect-error
export const email = event.payload.email;
// The payload is that of another type.
// @ts-expect-error
if (event.event_type === "user.deleted") console.log(event.payload.email);
// There is no such version.
// @ts-expect-error
newEvent("user.email_verified", 2, { user_id, email: "ada@example.com" }, context);
// Every writer writes generation_id.
// @ts-expect-error
newEvent("user.credits_changed", 1, { user_id, amount: 1, credit_balance: 1, reason: "refund" }, context);
// That is no reason to be had.
// @ts-expect-error
newEvent("user.deleted", 1, { user_id, requested_by: "accident" }, context);
// An event must say which request it came of.
// @ts-expect-error
newEvent("user.email_verified", 1, { user_id, email: "ada@example.com" }, {});
// An event that is not known has no payload to look into.
// @ts-expect-error
readEvent("").event.payload.email;
// The first may not be there.
// @ts-expect-error
export const first: EventType = EVENT_TYPES[0];

// There is no such code.
// @ts-expect-error
if (problem.code === "no_such_code") console.log();
// The code comes with another status.
// @ts-expect-error
if (problem.code === "conflict" && problem.status === 404) console.log();

// There is no such path.
// @ts-expect-error
await client.GET("/user");
// The operation takes a body.
// @ts-expect-error
await client.POST("/users", {});
// The data is there only where there is no error.
// @ts-expect-error
export const id: string = (await client.GET("/users/me")).data.id;

// What was not looked at is not known.
const document: unknown = {};
// @ts-expect-error
if (!validateUserCreateDTO(document)) console.log(document.email);
