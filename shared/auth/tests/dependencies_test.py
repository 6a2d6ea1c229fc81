"""A FastAPI application in front of which stand the dependencies."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse

from shared.auth import (
    KeyRing,
    TokenPayload,
    TokenPolicy,
    create_access_token,
)
from shared.auth.dependencies import (
    AuthNotConfiguredError,
    configure_auth,
    ensure_auth_configured,
    get_current_user,
    require_any_role,
    require_role,
    require_scope,
)
from shared.errors import ServiceUnavailableException
from shared.errors.handlers import register_exception_handlers

RING = KeyRing.from_secret("0123456789abcdef0123456789abcdef", kid="a")
POLICY = TokenPolicy(issuer="https://issuer.test", audience="orders")
SHAPE = {"event", "outcome", "actor", "target", "reason", "data"}
CurrentUser = Annotated[TokenPayload, Depends(get_current_user)]


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Refuse to start without keys."""
    ensure_auth_configured(app)
    yield


def make_app() -> FastAPI:
    """Make an application with a route of each kind and no keys yet."""
    app = FastAPI(lifespan=lifespan)
    register_exception_handlers(app)

    @app.get("/open")
    async def open_() -> str:
        return "open"

    @app.get("/me")
    async def me(user: CurrentUser) -> TokenPayload:
        return user

    @app.get("/orders", dependencies=[Depends(require_scope("orders:read", "b"))])
    async def orders(user: CurrentUser) -> str:
        return user.sub

    @app.get("/staff")
    async def staff(
        user: Annotated[TokenPayload, Depends(require_any_role("admin", "support"))],
    ) -> str:
        return user.sub

    admin = APIRouter(dependencies=[Depends(require_role("admin"))])

    @admin.get("/users")
    async def users() -> str:
        return "users"

    app.include_router(admin, prefix="/admin")

    @app.get("/rooms/{room_id}", dependencies=[Depends(require_role("admin"))])
    async def room(room_id: int) -> int:
        return room_id

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Call a started application that has its keys."""
    app = make_app()
    configure_auth(app, keys=RING, policy=POLICY)
    with TestClient(app) as client:
        yield client


def bearer(
    *, roles: tuple[str, ...] = (), scopes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the headers of a caller with a good token."""
    token = create_access_token(
        "u1", keys=RING, policy=POLICY, roles=roles, scopes=scopes
    )
    return {"Authorization": f"Bearer {token}"}


def security_events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what the security events say, without what every record has."""
    return [
        {name: value for name, value in vars(record).items() if name in SHAPE}
        for record in caplog.records
        if record.name == "shared.security"
    ]


def test_open_routes_need_no_token(client: TestClient) -> None:
    """Only a route that asks who is calling is protected."""
    assert client.get("/open").text == '"open"'


def test_current_user(client: TestClient) -> None:
    """A good token tells the route who is calling."""
    reply = client.get("/me", headers=bearer(roles=("admin",)))

    assert reply.status_code == 200
    assert (reply.json()["sub"], reply.json()["roles"]) == ("u1", ["admin"])


def test_scheme_has_no_case(client: TestClient) -> None:
    """The scheme may be written in any case (RFC 9110 section 11.1)."""
    token = bearer()["Authorization"].removeprefix("Bearer ")

    assert client.get("/me", headers={"Authorization": f"bEARER {token}"}).is_success


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer"}]
)
def test_no_credentials(client: TestClient, headers: dict[str, str]) -> None:
    """Who brings no token is told the scheme and no error (RFC 6750 section 3.1)."""
    reply = client.get("/me", headers=headers)

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["detail"] == "Not authenticated."
    assert reply.json()["code"] == "authentication_failed"


@pytest.mark.parametrize("token", ["x", "a.b.c", "a b", "\xe9", "A" * 20_000])
def test_bad_token(
    client: TestClient, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad token gets one opaque reply; the cause goes to the log, the token not."""
    headers = {b"Authorization": f"Bearer {token}".encode("latin-1")}
    reply = client.get("/me", headers=headers)

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert reply.json()["detail"] == "Invalid token."
    assert set(reply.json()) == {
        *("type", "title", "status", "detail", "instance", "code", "correlation_id"),
    }
    [event] = security_events(caplog)
    assert (event["event"], event["outcome"]) == ("token_refused", "denied")
    assert (event["actor"], event["target"]) == (None, "GET /me")
    assert token not in event["reason"].split()


def test_cause_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """An operator can tell an expired token from a forged one."""
    other = TokenPolicy(issuer="https://issuer.test", audience="billing")
    token = create_access_token("u1", keys=RING, policy=other)
    client.get("/me", headers={"Authorization": f"Bearer {token}"})

    [event] = security_events(caplog)
    assert event["reason"] == "it is not meant for this audience"
    assert token not in str(event)


def test_two_authorization_headers(client: TestClient) -> None:
    """Which of two tokens counts must not be a matter of who reads them."""
    value = bearer()["Authorization"]
    reply = client.get(
        "/me", headers=[("Authorization", value), ("Authorization", value)]
    )

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    ("path", "roles", "status"),
    [
        ("/admin/users", (), 403),
        ("/admin/users", ("support",), 403),
        ("/admin/users", ("Admin",), 403),
        ("/admin/users", ("administrator",), 403),
        ("/admin/users", ("support", "admin"), 200),
        ("/staff", (), 403),
        ("/staff", ("support",), 200),
        ("/staff", ("admin",), 200),
    ],
)
def test_roles(
    client: TestClient, path: str, roles: tuple[str, ...], status: int
) -> None:
    """A role is held or not; it is compared whole."""
    assert client.get(path, headers=bearer(roles=roles)).status_code == status


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/admin/users", "User lacks required role: admin"),
        ("/staff", "User lacks any of the required roles: admin, support"),
    ],
)
def test_missing_role(client: TestClient, path: str, detail: str) -> None:
    """Who is known but lacks a role gets 403 and reads which."""
    reply = client.get(path, headers=bearer())

    assert reply.status_code == 403
    assert reply.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert (reply.json()["detail"], reply.json()["code"]) == (
        detail,
        "permission_denied",
    )


@pytest.mark.parametrize(
    ("path", "event", "target", "required"),
    [
        ("/admin/users", "role_missing", "GET /admin/users", ("admin",)),
        ("/staff", "role_missing", "GET /staff", ("admin", "support")),
        ("/orders", "scope_missing", "GET /orders", ("orders:read", "b")),
        ("/rooms/7", "role_missing", "GET /rooms/{room_id}", ("admin",)),
    ],
)
def test_denials_are_security_events(
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    event: str,
    target: str,
    required: tuple[str, ...],
) -> None:
    """Who was denied what, on which route: not on which path, which may hold ids."""
    client.get(path, headers=bearer(roles=("guest",)))

    assert security_events(caplog) == [
        {
            "event": event,
            "outcome": "denied",
            "actor": "u1",
            "target": target,
            "reason": f"lacks {', '.join(required)}",
            "data": {"required": required},
        }
    ]


@pytest.mark.parametrize("path", ["/me", "/staff", "/admin/users", "/orders"])
def test_success_is_no_event(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """A request that is let in costs no line, nor does one without credentials."""
    caplog.set_level(logging.DEBUG)
    full = bearer(roles=("admin",), scopes=("orders:read", "b"))

    assert client.get(path, headers=full).status_code == 200
    assert client.get(path).status_code == 401
    assert security_events(caplog) == []


def test_scopes(client: TestClient) -> None:
    """All scopes are needed, and the challenge names them (RFC 6750 section 3.1)."""
    reply = client.get("/orders", headers=bearer(scopes=("orders:read",)))

    assert reply.status_code == 403
    assert (
        reply.headers["www-authenticate"]
        == 'Bearer error="insufficient_scope", scope="orders:read b"'
    )
    assert reply.json()["detail"] == "Token lacks required scope: orders:read b"
    full = bearer(scopes=("b", "x", "orders:read"))
    assert client.get("/orders", headers=full).status_code == 200


def test_without_token_a_role_is_not_the_question(client: TestClient) -> None:
    """Nobody is told 403 before being asked who they are."""
    assert client.get("/admin/users").status_code == 401
    assert client.get("/orders").status_code == 401


def test_realm() -> None:
    """A realm stands first in every challenge."""
    app = make_app()
    configure_auth(app, keys=RING, policy=POLICY, realm="the api")
    with TestClient(app) as client:
        plain = client.get("/me")
        bad = client.get("/me", headers={"Authorization": "Bearer x"})
        poor = client.get("/orders", headers=bearer())

    assert plain.headers["www-authenticate"] == 'Bearer realm="the api"'
    assert bad.headers["www-authenticate"] == (
        'Bearer realm="the api", error="invalid_token"'
    )
    assert poor.headers["www-authenticate"] == (
        'Bearer realm="the api", error="insufficient_scope", scope="orders:read b"'
    )


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb", "é"])
def test_realm_that_breaks_the_header(realm: str) -> None:
    """A realm can't end its quotes or its header."""
    with pytest.raises(ValueError, match="realm must be printable ASCII"):
        configure_auth(FastAPI(), keys=RING, policy=POLICY, realm=realm)


@pytest.mark.parametrize("scopes", [(), ("",), ("a b",), ('a"',)])
def test_scope_that_no_token_has(scopes: tuple[str, ...]) -> None:
    """A scope that could never be granted is a mistake, as is none."""
    with pytest.raises(ValueError, match="require_scope needs scopes"):
        require_scope(*scopes)


def test_any_role_of_none() -> None:
    """No role to choose from would lock everybody out."""
    with pytest.raises(ValueError, match="needs a role"):
        require_any_role()


def test_openapi(client: TestClient) -> None:
    """The document shows the scheme, which routes need it, and their scopes."""
    document = client.get("/openapi.json").json()
    security = {
        path: operations["get"].get("security")
        for path, operations in document["paths"].items()
    }

    assert document["components"]["securitySchemes"] == {
        "OAuth2PasswordBearer": {
            "type": "oauth2",
            "flows": {"password": {"scopes": {}, "tokenUrl": "auth/token"}},
        }
    }
    assert security == {
        "/open": None,
        "/me": [{"OAuth2PasswordBearer": []}],
        "/orders": [{"OAuth2PasswordBearer": ["orders:read", "b"]}],
        "/staff": [{"OAuth2PasswordBearer": []}],
        "/admin/users": [{"OAuth2PasswordBearer": []}],
        "/rooms/{room_id}": [{"OAuth2PasswordBearer": []}],
    }


def test_token_is_checked_once_a_request(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route that asks for the user and for scopes pays for one signature."""
    calls = []

    async def counted(token: str, **options: object) -> TokenPayload:
        calls.append(token)
        return TokenPayload(sub="u1", scope="orders:read b")

    monkeypatch.setattr("shared.auth.dependencies.authenticate", counted)
    assert client.get("/orders", headers=bearer()).status_code == 200
    assert len(calls) == 1


def test_websocket(caplog: pytest.LogCaptureFixture) -> None:
    """The dependencies guard a WebSocket as they do a request."""
    app = make_app()

    @app.websocket("/ws")
    async def ws(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()
        await socket.send_text(user.sub)
        await socket.close()

    configure_auth(app, keys=RING, policy=POLICY)
    with TestClient(app) as client:
        with client.websocket_connect("/ws", headers=bearer()) as socket:
            assert socket.receive_text() == "u1"
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/ws") as socket,
        ):
            socket.receive_text()
        assert refused.value.status_code == 401
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/ws", headers={"Authorization": "Bearer x"}),
        ):
            pass
        assert refused.value.status_code == 401
    assert [event["target"] for event in security_events(caplog)] == ["WEBSOCKET /ws"]


def test_keys_from_a_source() -> None:
    """Keys may come from a source; when it has none that is 503, not 401."""
    rings = [RING]

    class Source:
        async def ring(self, *, unknown_kid: str | None = None) -> KeyRing:
            if not rings:
                raise ServiceUnavailableException("No keys.")
            return rings.pop()

    app = make_app()
    configure_auth(app, keys=Source(), policy=POLICY)
    with TestClient(app) as client:
        assert client.get("/me", headers=bearer()).status_code == 200
        assert client.get("/me", headers=bearer()).status_code == 503


def _only_open() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    app.get("/open")(lambda: "open")
    return app


def _by_router() -> FastAPI:
    app = _only_open()
    inner, outer = APIRouter(), APIRouter(prefix="/v1")
    inner.get("/x")(lambda: "x")
    outer.include_router(inner, dependencies=[Depends(require_scope("a"))])
    app.include_router(outer)
    return app


def _by_mount() -> FastAPI:
    app = _only_open()
    app.mount("/sub", make_app())
    configure_auth(app, keys=RING, policy=POLICY)
    return app


def _by_websocket() -> FastAPI:
    app = _only_open()

    @app.websocket("/ws")
    async def ws(socket: WebSocket, user: CurrentUser) -> None:
        raise AssertionError

    return app


@pytest.mark.parametrize(
    ("app", "path"),
    [
        (make_app(), "/me"),
        (_by_router(), "/v1/x"),
        (_by_mount(), "/sub/me"),
        (_by_websocket(), "/ws"),
    ],
)
def test_protected_routes_without_keys_do_not_start(app: FastAPI, path: str) -> None:
    """However a route is protected, the application does not start without keys."""
    with (
        pytest.raises(AuthNotConfiguredError, match=f"^{path} is protected, but"),
        TestClient(app),
    ):
        raise AssertionError


def test_open_routes_start_without_keys() -> None:
    """An application that protects nothing needs no keys."""
    with TestClient(_only_open()) as client:
        assert client.get("/open").status_code == 200


def test_overridden_user_needs_no_keys() -> None:
    """A test that says who is calling starts the application without keys."""
    app = make_app()
    app.dependency_overrides[get_current_user] = lambda: TokenPayload(sub="me")
    with TestClient(app) as client:
        assert client.get("/me").json()["sub"] == "me"


def test_forgotten_altogether(caplog: pytest.LogCaptureFixture) -> None:
    """Without either call a protected route answers 500 and tells the log why."""
    app = FastAPI()
    register_exception_handlers(app)

    @app.get("/me")
    async def me(user: CurrentUser) -> None:
        raise AssertionError

    with TestClient(app, raise_server_exceptions=False) as client:
        reply = client.get("/me", headers=bearer())
    assert reply.status_code == 500
    assert "configure_auth" not in reply.text
    assert "Call ensure_auth_configured(app) in the lifespan" in caplog.text
