"""Events as CloudEvents 1.0, in structured mode and in binary mode over HTTP or AMQP.

    event           CloudEvent
    event_id        id               (one that is no UUID is hashed into one)
    event_type      type
    correlation_id  correlationid    (an absent one is read as the id)
    timestamp       time
    payload         data
    schema_version  schemaversion    (an absent one is read as 1)
    causation_id    causationid      (one that is no UUID is left out)
    aggregate_id    subject          (written only)

``correlationid`` and ``causationid`` are the Correlation extension. ``source`` says who
writes, which no event knows, so the writer passes it. A reader finds it in the message,
with whatever else has no place in an event.

The specification: https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic_core import from_json, to_json

from shared.events._document import member_texts, pointer, read_object
from shared.events._envelope import MAX_EVENT_BYTES, BaseEvent
from shared.events._errors import EventFormatError, FormatIssue
from shared.events._registry import EventRegistry

__all__ = [
    "AMQP_PREFIX",
    "HTTP_PREFIX",
    "MEDIA_TYPE",
    "Message",
    "from_message",
    "is_cloudevent",
    "to_binary",
    "to_structured",
]

MEDIA_TYPE: Final = "application/cloudevents+json"
"""The content type of a message in structured mode."""

HTTP_PREFIX: Final = "ce-"
"""Before the attributes' names in HTTP headers; the values are percent-encoded."""

AMQP_PREFIX: Final = "cloudEvents_"
"""Before the attributes' names in AMQP headers."""

_HEADER: Final = re.compile("(ce-|cloudevents[_:])([a-z0-9]+)")
_FAMILY: Final = "application/cloudevents"
_JSON: Final = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_URI_REFERENCE: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# HTTP binding, section 3.1.3.2: all that is printable but space, quote and percent.
_PRINTABLE: Final = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"

_MEMBERS: Final = {
    "event_id": "id",
    "event_type": "type",
    "correlation_id": "correlationid",
    "timestamp": "time",
    "payload": "data",
    "schema_version": "schemaversion",
    "causation_id": "causationid",
}

# What `to_structured` writes, up to the data. What is not captured is not validated
# again, so it must be sure to be JSON: printable ASCII without quote and backslash.
_OWN_FORM: Final = re.compile(
    rb'\{"specversion":"1\.0","id":("[^"]++"),"source":"[!#-\[\]-~]++",'
    rb'"type":("[^"]++"),(?:"subject":"[!#-\[\]-~]++",)?"time":("[^"]++"),'
    rb'"datacontenttype":"application/json","correlationid":("[^"]++"),'
    rb'(?:"causationid":("[^"]++"),)?"schemaversion":([0-9]++),"data":'
)


class Message(NamedTuple):
    """What is sent: by HTTP as it is, by AMQP with ``content-type`` as a property."""

    headers: dict[str, str]
    body: bytes


def to_structured(event: BaseEvent[Any], *, source: str) -> Message:
    """Write the whole event into the body, as `MEDIA_TYPE`.

    Args:
        event: What happened.
        source: Who says so: a URI reference, such as ``/accounts``.

    Raises:
        ValueError: *source* is none, or the event has no form in JSON.
    """
    head = to_json(_attributes(event, source))
    return Message(
        {"content-type": MEDIA_TYPE},
        b'%b,"data":%b}' % (head[:-1], event.encode_payload()),
    )


def to_binary(
    event: BaseEvent[Any], *, source: str, prefix: str = HTTP_PREFIX
) -> Message:
    """Write the payload into the body and all else into headers.

    Args:
        event: What happened.
        source: Who says so: a URI reference, such as ``/accounts``.
        prefix: `HTTP_PREFIX` or `AMQP_PREFIX`.

    Raises:
        ValueError: *source* or *prefix* is wrong, or the payload has no form in JSON.
    """
    if prefix not in (HTTP_PREFIX, AMQP_PREFIX):
        raise ValueError(
            f"prefix must be {HTTP_PREFIX!r} or {AMQP_PREFIX!r} (got {prefix!r})."
        )
    attributes = from_json(to_json(_attributes(event, source)))
    headers = {"content-type": attributes.pop("datacontenttype")}
    for name, value in attributes.items():
        text = str(value)
        headers[prefix + name] = (
            quote(text, safe=_PRINTABLE) if prefix == HTTP_PREFIX else text
        )
    return Message(headers, event.encode_payload())


def is_cloudevent(headers: Mapping[str, object]) -> bool:
    """Whether a message claims to be a CloudEvent, in either mode."""
    attributes = map(_HEADER.fullmatch, map(str.lower, headers))
    return _content_type(headers).startswith(_FAMILY) or any(
        attribute and attribute[2] == "specversion" for attribute in attributes
    )


def from_message(
    headers: Mapping[str, object],
    body: bytes,
    *,
    registry: EventRegistry,
    max_bytes: int = MAX_EVENT_BYTES,
) -> BaseEvent[Any]:
    """Read an event in either mode, whichever the content type says.

    Args:
        headers: Of HTTP or AMQP, ``content-type`` among them. Other headers are
            ignored. A value may be what AMQP has types for.
        body: Of the message.
        registry: Picks the class; an event without one is kept as `UnknownEvent`.
        max_bytes: How large the body may be.

    Raises:
        EventFormatError: It is no CloudEvent, or none with data in JSON. Pointers lead
            into the CloudEvent in its JSON form, in binary mode, too.
    """
    if len(body) > max_bytes:
        raise EventFormatError([FormatIssue("", "too_large")])
    content_type = _content_type(headers)
    if not content_type.startswith(_FAMILY):
        return _read(_from_headers(headers, body), registry)
    if content_type != MEDIA_TYPE and _media_type(content_type) != MEDIA_TYPE:
        raise EventFormatError([FormatIssue("", "media_type")])
    own = _OWN_FORM.match(body)
    if own and b"\\" not in own[0]:  # nor, then, any quote inside a string
        event = registry.parse_plain(
            b'{"event_id":%b,"event_type":%b,"timestamp":%b,"correlation_id":%b,'
            b'"causation_id":%b,"schema_version":%b,"payload":%b'
            % (*own.groups(b"null"), body[own.end() :])
        )
        if event is not None:
            return event
    read_object(body)
    return _read(member_texts(body.decode()), registry)


def _attributes(event: BaseEvent[Any], source: str) -> dict[str, object]:
    """What is not data, in the order of `_OWN_FORM`."""
    if not _URI_REFERENCE.fullmatch(source):
        raise ValueError(
            "source must be a URI reference (RFC 3986), such as /accounts "
            f"(got {source!r})."
        )
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": source,
        "type": event.event_type,
    }
    subject = event.aggregate()
    if subject:
        # to_json writes a UUID faster than str() does.
        attributes["subject"] = subject if isinstance(subject, UUID) else str(subject)
    attributes["time"] = event.timestamp
    attributes["datacontenttype"] = "application/json"
    attributes["correlationid"] = event.correlation_id
    if event.causation_id is not None:
        attributes["causationid"] = event.causation_id
    attributes["schemaversion"] = event.schema_version
    return attributes


def _content_type(headers: Mapping[str, object]) -> str:
    for name, value in headers.items():
        if name.lower() == "content-type":
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            return text.strip().lower()
    return ""


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip()


def _from_headers(headers: Mapping[str, object], body: bytes) -> dict[str, str]:
    """A message in binary mode as the members of its JSON form, in JSON each."""
    members: dict[str, str] = {}
    for header, value in headers.items():
        attribute = _HEADER.fullmatch(header.lower())
        if attribute:
            prefix, name = attribute.groups()
            if name in members:
                raise EventFormatError([FormatIssue(pointer(name), "duplicate_member")])
            try:
                text = _text(value)
                text = _from_http(text) if prefix == HTTP_PREFIX else text
                text.encode()
            except UnicodeError:
                issue = FormatIssue(pointer(name), "text_encoding")
                raise EventFormatError([issue]) from None
            members[name] = quoted(text)
    members["datacontenttype"] = quoted(_content_type(headers) or "application/json")
    if body:
        members["data"] = _json_text(body)
    return members


def _text(value: object) -> str:
    """The canonical string of a value in AMQP's types (AMQP binding, 3.1.3.2)."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.isoformat()
    return str(value)


def _from_http(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote(text, errors="strict")


def _json_text(data: bytes) -> str:
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError:
        raise EventFormatError([FormatIssue("/data", "json_invalid")]) from None
    return data.decode()


def _read(members: dict[str, str], registry: EventRegistry) -> BaseEvent[Any]:
    # JSON format, section 2.2: null is the same as absent, but as data.
    given = {
        name: text for name, text in members.items() if text != "null" or name == "data"
    }
    issues = list(_issues(given))
    if issues:
        raise EventFormatError(issues)
    envelope = ",".join(f'"{name}":{text}' for name, text in _envelope(given).items())
    data = f"{{{envelope}}}".encode()
    try:
        return registry.parse(data, max_bytes=len(data))
    except EventFormatError as error:
        # What an upcaster raised, if that was it.
        raise EventFormatError(map(_translated, error.issues)) from error.__cause__


def _issues(members: Mapping[str, str]) -> Iterator[FormatIssue]:
    for name in ("id", "source", "specversion", "time", "type"):
        if name not in members:
            yield FormatIssue(pointer(name), "missing")
        elif members[name] == '""' or not members[name].startswith('"'):
            yield FormatIssue(pointer(name), "string_type")
    if members.get("specversion", '"1.0"') != '"1.0"':
        yield FormatIssue("/specversion", "version_unsupported")
    # JSON format, section 3.1: only for data_base64 is JSON not taken for granted.
    implied = '""' if "data_base64" in members else '"application/json"'
    content_type = json.loads(members.get("datacontenttype", implied))
    if not (isinstance(content_type, str) and _JSON.fullmatch(content_type)):
        yield FormatIssue("/datacontenttype", "media_type")


def _envelope(members: Mapping[str, str]) -> dict[str, str]:
    """The members of an envelope, in JSON each, from those of a CloudEvent."""
    event_id = members["id"]
    if not _is_uuid(event_id):
        name = f"{json.loads(members['source'])} {json.loads(event_id)}"
        event_id = quoted(str(uuid5(NAMESPACE_URL, name)))
    causation_id = members.get("causationid", "null")
    if causation_id.startswith('"') and not _is_uuid(causation_id):
        causation_id = "null"
    version = members.get("schemaversion", "1")
    return {
        "event_id": event_id,
        "event_type": members["type"],
        "correlation_id": members.get("correlationid", event_id),
        "timestamp": members["time"],
        "payload": _data(members),
        "schema_version": re.sub(r'^"([1-9][0-9]*)"$', r"\1", version),
        "causation_id": causation_id,
    }


def _data(members: Mapping[str, str]) -> str:
    if "data_base64" not in members:
        return members.get("data", "null")
    try:
        data = b64decode(json.loads(members["data_base64"]), validate=True)
    except (ValueError, TypeError):
        raise EventFormatError([FormatIssue("/data_base64", "base64")]) from None
    return _json_text(data)


def _is_uuid(text: str) -> bool:
    return bool(_UUID.fullmatch(text[1:-1]))


def _translated(issue: FormatIssue) -> FormatIssue:
    _, *tokens = issue.pointer.split("/")
    if tokens:
        tokens[0] = _MEMBERS.get(tokens[0], tokens[0])
    return FormatIssue("".join(f"/{token}" for token in tokens), issue.code)
