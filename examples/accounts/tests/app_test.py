from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from examples.accounts._settings import Settings
from examples.accounts.app import ADMIN_EMAIL, LOG_INS, bootstrap
from examples.accounts.contract import PUBLISHES
from shared.config import ConfigurationError, load_config
from shared.events import UserRegisteredEvent
from shared.testing import FakeClock, captured_logs, is_problem
from shared.testing.messaging import RecordingBus

PASSWORD = "Correct-Horse-9"
ADMIN_PASSWORD = "Admins-Only-2026"


SECRET = {"ACCOUNTS_SECRET_KEY": "s" * 32}


def settings(**environ: str) -> Settings:
    """As the environment would give them, and nothing from this machine."""
    return load_config(
        "accounts", Settings, environ=environ, env_file=None, secrets_dir=None
    )


class Accounts:
    """The service, called as a user would."""

    def __init__(self, client: TestClient, clock: FakeClock, bus: RecordingBus) -> None:
        self.client, self.clock, self.bus = client, clock, bus

    def registrations(self, number: int) -> list[UserRegisteredEvent]:
        """What was published, once there are so many; the relay takes a moment."""
        until = time.monotonic() + 60
        while len(self.bus.published) < number and time.monotonic() < until:
            time.sleep(0.01)
        return [e for e in self.bus.published if isinstance(e, UserRegisteredEvent)]

    def register(self, email: str, password: str = PASSWORD) -> Response:
        body = {"email": email, "password": password}
        return self.client.post("/users", json=body)

    def log_in(self, email: str, password: str = PASSWORD) -> Response:
        form = {"username": email, "password": password}
        return self.client.post("/auth/token", data=form)

    def bearer(self, email: str, password: str = PASSWORD) -> dict[str, str]:
        token = self.log_in(email, password).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    """The service with an admin, a clock that stands, and its events kept."""
    clock = FakeClock()
    bus = RecordingBus("accounts")
    config = settings(**SECRET, ADMIN_PASSWORD=ADMIN_PASSWORD)
    service = bootstrap(config, bus=bus, now=clock)
    with TestClient(service.app) as client:
        yield Accounts(client, clock, bus)
    # Whatever a test made it publish, others were told that it does.
    assert {type(event) for event in bus.published} <= {*PUBLISHES}


def test_a_registration_shows_everything_but_the_password(accounts: Accounts) -> None:
    """What was sent as a secret never comes back."""
    reply = accounts.register("ada@example.com")

    assert reply.status_code == 201
    assert PASSWORD not in reply.text
    assert reply.json()["email"] == "ada@example.com"
    assert reply.json()["created_at"] == "2026-01-01T12:00:00Z"
    assert reply.json()["credit_balance"] == 0


def test_a_registration_emits_one_event_with_the_requests_id(
    accounts: Accounts,
) -> None:
    """Whoever gets `user.registered` can trace it to the request."""
    headers = {"X-Correlation-ID": "trace-me"}
    body = {"email": "ada@example.com", "password": PASSWORD}

    user = accounts.client.post("/users", json=body, headers=headers).json()

    (event,) = accounts.registrations(1)
    assert event.correlation_id == "trace-me"
    assert str(event.payload.user_id) == user["id"]


def test_an_address_is_registered_once_whatever_its_case(accounts: Accounts) -> None:
    """The second registration is a conflict, and emits nothing."""
    accounts.register("ada@example.com")

    reply = accounts.register("ADA@example.com")
    accounts.register("bob@example.com")

    assert (reply.status_code, reply.json()["code"]) == (409, "conflict")
    emails = [event.payload.email for event in accounts.registrations(2)]
    assert sorted(emails) == ["ada@example.com", "bob@example.com"]


def test_a_weak_password_is_refused_by_every_rule_and_not_echoed(
    accounts: Accounts,
) -> None:
    """The user mends it in one go, and it stays out of the reply."""
    reply = accounts.register("ada@example.com", "horse-no")

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/password"]
    assert "horse-no" not in reply.text


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_a_failed_log_in_does_not_tell_who_exists(
    accounts: Accounts, email: str
) -> None:
    """A wrong password and an unknown address read the same."""
    accounts.register("ada@example.com")

    reply = accounts.log_in(email, "Wrong-Horse-99")

    assert reply.status_code == 401
    assert reply.json()["detail"] == "Wrong e-mail address or password."
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape"])
def test_a_password_that_utf8_cannot_hold_is_a_wrong_one(
    accounts: Accounts, charset: str
) -> None:
    """The caller chooses the charset of a multipart form, some have lone surrogates."""
    form = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in [("username", "ada"), ("password", "+2AA-\\ud800")]
    )

    reply = accounts.client.post(
        "/auth/token",
        content=f"{form}--x--\r\n",
        headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"},
    )

    assert (reply.status_code, reply.json()["code"]) == (401, "authentication_failed")


def test_a_token_opens_the_profile_until_it_expires(accounts: Accounts) -> None:
    """The hour is counted by the injected clock."""
    accounts.register("ada@example.com")
    bearer = accounts.bearer("ada@example.com")

    before = accounts.client.get("/users/me", headers=bearer)
    accounts.clock.advance(timedelta(hours=1))
    after = accounts.client.get("/users/me", headers=bearer)

    assert before.json()["email"] == "ada@example.com"
    assert (after.status_code, after.json()["detail"]) == (401, "Invalid token.")


def test_an_update_changes_what_was_sent_and_clears_what_is_null(
    accounts: Accounts,
) -> None:
    """Absent stays, null clears."""
    accounts.register("ada@example.com")
    bearer = accounts.bearer("ada@example.com")
    both = {"full_name": "Ada Lovelace", "username": "ada"}
    accounts.client.patch("/users/me", json=both, headers=bearer)

    reply = accounts.client.patch(
        "/users/me", json={"full_name": None}, headers=bearer
    ).json()

    assert (reply["full_name"], reply["username"]) == (None, "ada")


def test_an_update_of_nothing_changes_nothing(accounts: Accounts) -> None:
    """Not even the time of the last change."""
    before = accounts.register("ada@example.com").json()
    bearer = accounts.bearer("ada@example.com")
    accounts.clock.advance(60)

    reply = accounts.client.patch("/users/me", json={}, headers=bearer)

    assert reply.json() == before


def test_a_taken_user_name_is_a_conflict(accounts: Accounts) -> None:
    """User names are unique in any case."""
    accounts.register("ada@example.com")
    accounts.register("bob@example.com")
    for email, name, status in [("ada", "Countess", 200), ("bob", "countess", 409)]:
        reply = accounts.client.patch(
            "/users/me",
            json={"username": name},
            headers=accounts.bearer(f"{email}@example.com"),
        )

        assert reply.status_code == status


def test_only_an_admin_sees_the_list(accounts: Accounts) -> None:
    """Nobody: 401. A user: 403. An admin: everyone, page by page."""
    accounts.register("ada@example.com")
    admin = accounts.bearer(ADMIN_EMAIL, ADMIN_PASSWORD)

    nobody = accounts.client.get("/users")
    user = accounts.client.get("/users", headers=accounts.bearer("ada@example.com"))
    first = accounts.client.get("/users?limit=1", headers=admin).json()
    cursor = first["next_cursor"]
    second = accounts.client.get(f"/users?limit=1&cursor={cursor}", headers=admin)

    assert (nobody.status_code, user.status_code) == (401, 403)
    assert [u["email"] for u in first["items"]] == [ADMIN_EMAIL]
    assert [u["email"] for u in second.json()["items"]] == ["ada@example.com"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("cursor", "status"),
    [("rubbish", 422), ("WzEseyJpZCI6NDJ9XQ", 400)],
    ids=["no cursor", "a cursor of another list"],
)
def test_a_made_up_cursor_is_refused(
    accounts: Accounts, cursor: str, status: int
) -> None:
    """A cursor is untrusted input."""
    admin = accounts.bearer(ADMIN_EMAIL, ADMIN_PASSWORD)

    reply = accounts.client.get(f"/users?cursor={cursor}", headers=admin)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_token_of_an_account_that_is_gone_is_refused(accounts: Accounts) -> None:
    """The secret may outlive the memory: that is a 401, not a 500."""
    accounts.register("ada@example.com")
    bearer = accounts.bearer("ada@example.com")
    restarted = bootstrap(settings(**SECRET), now=accounts.clock)

    with TestClient(restarted.app) as client:
        reply = client.get("/users/me", headers=bearer)

    assert (reply.status_code, reply.json()["code"]) == (401, "authentication_failed")


def test_the_documentation_shows_the_errors(accounts: Accounts) -> None:
    """A client generated from the OpenAPI document knows the problems."""
    paths = accounts.client.get("/openapi.json").json()["paths"]

    shown = paths["/users"]["post"]["responses"]
    assert "application/problem+json" in shown["409"]["content"]
    assert "application/problem+json" in shown["422"]["content"]


def test_the_documentation_shows_that_a_body_may_be_unreadable(
    accounts: Accounts,
) -> None:
    """What is no JSON, or no form, is a 400 at whatever takes a body."""
    paths = accounts.client.get("/openapi.json").json()["paths"]

    operations = [operation for path in paths.values() for operation in path.values()]
    shown = [o["responses"].keys() for o in operations if "requestBody" in o]
    assert len(shown) == 3
    assert all("400" in responses for responses in shown)


def test_log_ins_from_one_address_are_limited(accounts: Accounts) -> None:
    """Guessing passwords, and keeping the processors busy with hashes, has an end."""
    replies = [accounts.log_in("ada@example.com") for _ in range(LOG_INS.limit + 1)]

    assert [reply.status_code for reply in replies[:-1]] == [401] * LOG_INS.limit
    assert replies[-1] == is_problem(status=429, code="rate_limit_exceeded")
    assert int(replies[-1].headers["retry-after"]) >= 1


def test_log_ins_are_security_events(accounts: Accounts) -> None:
    """Who got in, who did not, and never with which password."""
    user = accounts.register("ada@example.com").json()
    with captured_logs("shared.security") as logs:
        accounts.log_in("ada@example.com")
        accounts.log_in("ada@example.com", "Wrong-Horse-99")

    shown = [(line["outcome"], line["actor"], line["target"]) for line in logs]
    assert shown == [("success", user["id"], None), ("failure", None, user["id"])]
    assert "Horse" not in str(logs)


def test_accounts_outlive_the_process_where_a_url_says_so(tmp_path: Any) -> None:
    """In memory is the default, not the limit."""
    environ = {**SECRET, "DATABASE_URL": f"sqlite:///{tmp_path}/accounts.db"}
    for status in (201, 409):
        bus = RecordingBus("accounts")
        service = bootstrap(settings(**environ), bus=bus)
        with TestClient(service.app) as client:
            reply = Accounts(client, FakeClock(), bus).register("ada@example.com")

        assert reply.status_code == status


def test_a_start_without_secret_or_admin_says_so() -> None:
    """Both are fine at home, and a surprise elsewhere."""
    with captured_logs("accounts", level=logging.WARNING) as logs:
        service = bootstrap(settings())
        with TestClient(service.app):
            pass

    assert [message.partition(" ")[0] for message in logs.messages] == [
        "ACCOUNTS_SECRET_KEY",
        "ADMIN_PASSWORD",
    ]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ACCOUNTS_SECRET_KEY": "short-secret"}, "ACCOUNTS_SECRET_KEY.* 32 or more"),
        ({"ADMIN_PASSWORD": "simple-one"}, "ADMIN_PASSWORD"),
    ],
)
def test_a_weak_setting_is_named_and_hidden(
    environment: dict[str, str], message: str
) -> None:
    """The message helps, and can be pasted into a ticket."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        settings(**environment)

    assert not any(value in str(caught.value) for value in environment.values())
