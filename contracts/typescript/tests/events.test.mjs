import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { EventFormatError, EXCHANGE, isProblem, newEvent, readEvent, toMessage } from "@creativeflow/contracts";

const PAYLOAD = {
  user_id: "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
  email: "ada@example.com",
  verification_token: "a-secret-token",
};
const LEAST = {
  event_id: "9a1c2b7d-58d4-4b3a-b9de-2c8f0c8d4e77",
  event_type: "user.registered",
  correlation_id: "abc-123",
  timestamp: "2026-01-31T12:00:00Z",
  payload: PAYLOAD,
};
const read = (changes = {}) => readEvent(JSON.stringify({ ...LEAST, ...changes }));

suite("readEvent", () => {
  test("what the writer left out has its default", () => {
    const whole = { ...LEAST, payload: { ...PAYLOAD, full_name: null }, schema_version: 1, causation_id: null };

    assert.deepEqual(read(), { known: true, event: whole });
  });

  test("a default of one event is not that of another", () => {
    const key = {
      event_type: "api_key.created",
      payload: { api_key_id: LEAST.event_id, user_id: PAYLOAD.user_id, name: "ci", key_prefix: "cf_1" },
    };
    const [one, other] = [read(key), read(key)];
    one.event.payload.permissions.push("everything");

    assert.deepEqual(other.event.payload.permissions, []);
  });

  test("members that nobody asked for are kept", () => {
    assert.equal(read({ note: "hello" }).event.note, "hello");
    assert.equal(read({ payload: { ...PAYLOAD, note: "hello" } }).event.payload.note, "hello");
  });

  for (const [what, changes] of Object.entries({
    "an unknown type": { event_type: "comet.sighted", payload: [1, 2] },
    "a newer version": { schema_version: 2, payload: { names: ["Ada"] } },
    "a type that JavaScript knows": { event_type: "constructor" },
    "another one": { event_type: "__proto__" },
  })) {
    test(`${what} is kept whole`, () => {
      const event = { ...LEAST, schema_version: 1, causation_id: null, ...changes };

      assert.deepEqual(read(changes), { known: false, event });
    });
  }

  for (const [what, changes, place] of [
    ["a member is missing", { payload: { ...PAYLOAD, email: undefined } }, "/payload (required)"],
    ["a member is of another type", { payload: { ...PAYLOAD, user_id: 7 } }, "/payload/user_id (type)"],
    ["an id is none", { event_id: "a-secret-token" }, "/event_id (format)"],
    ["there is no payload", { payload: undefined }, "/ (required)"],
    ["a time has no zone", { timestamp: "2026-01-31T12:00:00" }, "/timestamp (format)"],
    ["a time has a space", { timestamp: "2026-01-31 12:00:00Z" }, "/timestamp (format)"],
    ["a time is the leap second", { timestamp: "2016-12-31T23:59:60Z" }, "/timestamp (format)"],
    ["a time is before the year 1 in UTC", { timestamp: "0001-01-01T00:00:00+01:00" }, "/timestamp (format)"],
    ["a day is not in its month", { timestamp: "2026-02-29T12:00:00Z" }, "/timestamp (format)"],
    ["a version is none", { schema_version: 0 }, "/schema_version (minimum)"],
    ["a correlation id has a space", { correlation_id: "a b" }, "/correlation_id (pattern)"],
  ]) {
    test(`${what}: the place and the rule are said, and no value`, () => {
      assert.throws(() => read(changes), (error) => {
        assert.ok(error instanceof EventFormatError);
        assert.equal(error.message, `No event: ${place}.`);
        return true;
      });
    });
  }

  for (const [what, body] of [
    ["no JSON", "{"],
    ["no object", "[]"],
    ["NaN", "NaN"],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    ["a byte order mark", new TextEncoder().encode(`\uFEFF${JSON.stringify(LEAST)}`)],
  ]) {
    test(`${what} is no event`, () => {
      assert.throws(() => readEvent(body), EventFormatError);
    });
  }

  for (const timestamp of ["2026-01-31T12:00:00.123456Z", "2026-01-31t12:00:00z", "2024-02-29T12:00:00+05:30"]) {
    test(`${timestamp} is a time, and stays as it is written`, () => {
      assert.equal(read({ timestamp }).event.timestamp, timestamp);
    });
  }
});

suite("toMessage", () => {
  const cause = "9a1c2b7d-58d4-4b3a-b9de-2c8f0c8d4e77";
  const event = newEvent(
    "user.registered",
    1,
    { ...PAYLOAD, full_name: null },
    { correlation_id: "abc-123", causation_id: cause, timestamp: new Date(1_769_860_800_500) },
  );

  test("an event comes back as it was", () => {
    assert.deepEqual(readEvent(Buffer.from(toMessage(event).content)), { known: true, event });
  });

  test("what readers look at is beside the body", () => {
    const { exchange, routingKey, options } = toMessage(event);

    assert.deepEqual([exchange, routingKey], [EXCHANGE, "user.registered"]);
    assert.deepEqual(options, {
      contentType: "application/json",
      correlationId: "abc-123",
      headers: { correlation_id: "abc-123", schema_version: "1", causation_id: cause },
      messageId: event.event_id,
      persistent: true,
      timestamp: 1_769_860_800,
      type: "user.registered",
    });
  });
});

suite("isProblem", () => {
  const conflict = { type: "about:blank", title: "Conflict", status: 409, detail: "Taken.", code: "conflict" };

  test("one with any of the codes asked for", () => {
    assert.equal(isProblem(conflict), true);
    assert.equal(isProblem(conflict, "not_found", "conflict"), true);
    assert.equal(isProblem(conflict, "not_found"), false);
  });

  for (const [what, value] of [
    ["null", null],
    ["a text", "conflict"],
    ["an unknown code", { ...conflict, code: "no_such_code" }],
    ["no code", { ...conflict, code: undefined }],
    ["a status that is a text", { ...conflict, status: "409" }],
    ["no detail", { ...conflict, detail: undefined }],
  ]) {
    test(`${what} is none`, () => {
      assert.equal(isProblem(value), false);
    });
  }
});
