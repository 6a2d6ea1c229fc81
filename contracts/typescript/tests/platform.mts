// Provokes errors of a running API Platform, as a user, with a key and as nobody: each code narrows the type.

import assert from "node:assert/strict";

import { isProblem } from "@creativeflow/contracts";
import { createApiPlatformClient, type components } from "@creativeflow/contracts/clients/api-platform";

const [baseUrl = "", token = ""] = process.argv.slice(2);
const bearer = (secret: string) => ({ headers: { Authorization: `Bearer ${secret}` } });
const nobody = createApiPlatformClient({ baseUrl });
const user = createApiPlatformClient({ baseUrl, ...bearer(token) });
const body = { prompt: "A poster", format: "instagram-post" };
const job_id = "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21";

// 401, of an operation without credentials, and with a key that is none
const unknown = await nobody.POST("/api/v1/generations", { body });
assert.ok(isProblem(unknown.error, "authentication_failed"));
const unauthorized: 401 = unknown.error.status;
assert.equal(unknown.response.status, unauthorized);
const typo = createApiPlatformClient({ baseUrl, ...bearer("cfk_live_typo") });
const refused = await typo.GET("/api/v1/generations/{job_id}", { params: { path: { job_id } } });
assert.equal(refused.error?.code, "authentication_failed");

// 404, of a job that is nobody's
const made = await user.POST("/api/v1/keys", { body: { name: "Shop", permissions: ["generations:read"] } });
assert.ok(made.data);
assert.deepEqual(made.data.permissions, ["generations:read"]);
const reader = createApiPlatformClient({ baseUrl, ...bearer(made.data.secret) });
const missing = await reader.GET("/api/v1/generations/{job_id}", { params: { path: { job_id } } });
assert.ok(missing.error?.code === "resource_not_found");
const lost: 404 = missing.error.status;
assert.equal(missing.response.status, lost);
assert.equal(missing.error["resource_id"], job_id);

// 403, of a key that may only read
const forbidden = await reader.POST("/api/v1/generations", { body });
assert.ok(forbidden.error?.code === "scope_missing");
const denied: 403 = forbidden.error.status;
assert.equal(forbidden.response.status, denied);

// Once it is revoked, the key opens nothing.
const key_id = made.data.id;
const revoked = await user.DELETE("/api/v1/keys/{key_id}", { params: { path: { key_id } } });
assert.equal(revoked.data?.is_active, false);
const dead = await reader.GET("/api/v1/generations/{job_id}", { params: { path: { job_id } } });
assert.equal(dead.error?.code, "authentication_failed");

// The type of a delivery says what its data is.
function creditsOf(delivery: components["schemas"]["WebhookDelivery"]): number | null {
  return delivery.type === "generation.completed" ? delivery.data.credits_used : null;
}
const ping = { type: "webhook.ping", timestamp: "2026-01-31T12:00:00Z", data: { webhook_id: key_id } } as const;
assert.equal(creditsOf(ping), null);

console.log([unknown, missing, forbidden, dead].map(({ error, response }) => `${response.status} ${error?.code}`).join("; "));
