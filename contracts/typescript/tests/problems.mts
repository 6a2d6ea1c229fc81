// Provokes errors of a running service: each code narrows the type, and is what the service said.

import assert from "node:assert/strict";

import { isProblem, type Problem } from "@creativeflow/contracts";
import { createAccountsClient } from "@creativeflow/contracts/clients/accounts";

const [baseUrl = ""] = process.argv.slice(2);
const accounts = createAccountsClient({ baseUrl, headers: { "X-Correlation-ID": "problems-1" } });
const body = { email: "grace@example.com", password: "Correct-Horse-9" };

const created = await accounts.POST("/users", { body });
assert.equal(created.data?.email, body.email);
assert.equal(created.data.full_name, null);

// 409
const again = await accounts.POST("/users", { body });
assert.ok(again.error?.code === "conflict" || again.error?.code === "duplicate");
const taken: 409 = again.error.status;
assert.equal(again.response.status, taken);

// 422, with the place of each mistake
const short = await accounts.POST("/users", { body: { email: "nobody", password: "short" } });
assert.ok(short.error?.code === "validation_error");
const unfit: 422 = short.error.status;
assert.equal(short.response.status, unfit);
assert.deepEqual(short.error.errors?.map(({ pointer }) => pointer), ["/email", "/password"]);

// 401, of an operation without and with credentials
const nobody = await accounts.GET("/users/me");
assert.ok(isProblem(nobody.error, "authentication_failed"));
const unknown: 401 = nobody.error.status;
assert.equal(nobody.response.status, unknown);
assert.equal(nobody.error.correlation_id, "problems-1");
const wrong = await accounts.POST("/auth/token", { body: { username: body.email, password: "wrong" } });
assert.equal(wrong.error?.code, "authentication_failed");

// Whatever the code, the compiler knows what is left.
function advice(problem: Problem): string {
  switch (problem.code) {
    case "conflict":
    case "duplicate":
      return "choose another address";
    case "validation_error":
      return `look at ${problem.errors?.length ?? 0} fields`;
    case "authentication_failed":
      return "log in";
    default:
      return problem.detail;
  }
}
console.log([again.error, short.error, nobody.error].map(advice).join("; "));
