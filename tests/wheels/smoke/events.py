"""An event goes over the wire and comes back as its class, by its name."""

from uuid import uuid4

from shared.events import UserRegisteredEvent, UserRegisteredPayload, parse_event

sent = UserRegisteredEvent(
    correlation_id="abc-123",
    payload=UserRegisteredPayload(
        user_id=uuid4(), email="ann@example.org", verification_token="secret-1"
    ),
)
received = parse_event(sent.encode())

assert isinstance(received, UserRegisteredEvent)
assert received == sent
assert "secret-1" not in repr(received)
