"""Errors that a service may let cross its HTTP boundary.

    BaseAPIException                        500  internal_error
      BadRequestException                   400  bad_request
      AuthenticationException               401  authentication_failed
      PermissionDeniedException             403  permission_denied
      NotFoundException                     404  not_found
        NotFoundError(resource, id)         404  resource_not_found
      ConflictException                     409  conflict
      PayloadTooLargeException              413  payload_too_large
      ValidationException(errors)           422  validation_error
        ValidationError(detail, details)    422  invalid_input
      RateLimitExceededException            429  rate_limit_exceeded
      UpstreamException               502 / 504  upstream_error
      ServiceUnavailableException           503  service_unavailable

A service adds its own by writing class attributes; the docstring becomes the
description in the catalogue::

    class QuotaExceededException(ConflictException):
        "The plan's monthly quota is used up."

        code = "quota_exceeded"
        detail = "Your monthly quota is used up."

Private: import these names from ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isfinite
from types import MappingProxyType
from typing import Any, Final, TypeVar

from shared.errors._codes import is_code, title_of
from shared.errors._headers import merge_headers
from shared.errors._items import error_items
from shared.errors._jsonable import clean_text, jsonable

_E = TypeVar("_E", bound="BaseAPIException")

# The members of a problem that an error's own facts can't replace.
RESERVED: Final = frozenset(
    {"type", "title", "status", "detail", "instance", "code", "correlation_id"}
)

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# Every code with the one class that declares it.
_owners: Final[dict[str, type[BaseAPIException]]] = {}


def _claim(cls: type[BaseAPIException]) -> None:
    """Make *cls* the owner of its code, or refuse."""
    code = cls.code
    if not is_code(code):
        raise TypeError(f"{cls.__qualname__}.code must be snake_case (got {code!r}).")
    owner = _owners.get(code, cls)
    if not _same_source(owner, cls):
        raise TypeError(
            f"{cls.__qualname__}.code {code!r} already belongs to "
            f"{owner.__module__}.{owner.__qualname__}."
        )
    _owners[code] = cls


def _same_source(one: type, other: type) -> bool:
    """Whether they are one class, loaded twice: by a reload, or as ``__main__`` too."""
    modules = {one.__module__, other.__module__} - {"__main__"}
    return one.__qualname__ == other.__qualname__ and len(modules) <= 1


class BaseAPIException(Exception):
    """Something failed that nobody foresaw; the correlation id finds it in the logs.

    The base class: ``except BaseAPIException`` catches every error of this module.

    Args:
        detail: What went wrong, in words that the caller of the API may read; the
            class's own sentence when left out.
        headers: Sent with the reply, on top of the class's.
        extra: Further facts, members of the reply beside ``detail``. Never a secret.

    Raises:
        ValueError: The name of a header is none (RFC 9110, section 5.6.2).
    """

    status_code: int = 500
    code: str = "internal_error"
    title: str = ""  # the phrase of the status when empty
    detail: str = "An internal server error occurred."
    headers: Mapping[str, str] = _NOTHING
    extra_info: Mapping[str, Any] = _NOTHING

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check what a subclass declares, while the mistake is still in view.

        Raises:
            TypeError: The status is no error status, the code is not snake_case or
                belongs to another class, or a header has no valid name.
        """
        super().__init_subclass__(**kwargs)
        status: object = cls.status_code
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise TypeError(f"{cls.__qualname__}.status_code must be from 400 to 599.")
        if "headers" in vars(cls):
            try:
                cls.headers = MappingProxyType(merge_headers({}, cls.headers))
            except ValueError as error:
                raise TypeError(f"{cls.__qualname__}.headers: {error}") from None
        if "code" in vars(cls):
            _claim(cls)

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.detail = detail or self.detail
        self.headers = merge_headers(self.headers, headers or _NOTHING)
        self.extra_info = extra
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not through __init__: a subclass may ask for other arguments there.
        return (_blank, (type(self), *self.args), dict(self.__dict__))

    def to_dict(self) -> dict[str, Any]:
        """``{"detail": ..., **extra_info}``, the values as they were passed in."""
        return {"detail": self.detail, **self.extra_info}

    def to_problem(
        self,
        *,
        instance: str | None = None,
        correlation_id: str | None = None,
        type_base: str | None = None,
    ) -> dict[str, Any]:
        """This error as the members of an RFC 9457 problem, in their order on the wire.

        Every value is one that JSON and UTF-8 can hold, whatever the error carries;
        see `jsonable`. Extra facts named like a member of the problem are left out.

        Args:
            instance: A URI reference for this occurrence, usually the request's path.
            correlation_id: What finds this occurrence in the logs.
            type_base: Where the codes are documented: ``type`` becomes this followed
                by the code. ``about:blank`` when left out.
        """
        problem: dict[str, Any] = {
            "type": clean_text(f"{type_base}{self.code}")
            if type_base
            else "about:blank",
            "title": clean_text(self.title or title_of(self.status_code)),
            "status": self.status_code,
            "detail": _text(self.detail),
        }
        if instance is not None:
            problem["instance"] = clean_text(instance)
        problem["code"] = self.code
        if correlation_id is not None:
            problem["correlation_id"] = clean_text(correlation_id)
        extra = dict(self.extra_info)
        if "errors" in extra:
            problem["errors"] = error_items(extra.pop("errors"))
        for name, value in jsonable(extra).items():
            if name not in RESERVED:
                problem.setdefault(name, value)
        return problem


_claim(BaseAPIException)


class BadRequestException(BaseAPIException):
    """The request makes no sense, or a rule of the platform refuses it."""

    status_code = 400
    code = "bad_request"
    detail = "Bad request."


class AuthenticationException(BaseAPIException):
    """Nobody is logged in. A logged-in caller without the rights gets 403."""

    status_code = 401
    code = "authentication_failed"
    detail = "Authentication failed."
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class PermissionDeniedException(BaseAPIException):
    """The caller is known and may not do this."""

    status_code = 403
    code = "permission_denied"
    detail = "Permission denied."


class NotFoundException(BaseAPIException):
    """The thing asked for does not exist, or the caller may not know of it."""

    status_code = 404
    code = "not_found"
    detail = "Resource not found."


class NotFoundError(NotFoundException):
    """A resource of a known kind does not exist.

    ``NotFoundError("Subject", "123")``: the reply carries both as ``resource`` and
    ``resource_id``. A path that no route serves is a plain ``not_found``, so a client
    can tell the two apart.
    """

    code = "resource_not_found"

    def __init__(
        self,
        resource: str,
        identifier: object,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(
            detail or f"{resource} '{identifier}' was not found.",
            headers=headers,
            resource=resource,
            resource_id=str(identifier),
            **extra,
        )


class ConflictException(BaseAPIException):
    """The request contradicts the present state, such as a name already taken."""

    status_code = 409
    code = "conflict"
    detail = "Conflict with existing resource."


class PayloadTooLargeException(BaseAPIException):
    """The body is larger than this endpoint accepts."""

    status_code = 413
    code = "payload_too_large"
    detail = "The request body is too large."


class ValidationException(BaseAPIException):
    """The input does not fit the schema.

    Args:
        errors: What is wrong with it, best as a list of ``{"pointer": ..., "code":
            ..., "detail": ...}`` (see `ErrorItem`). `to_problem` also understands
            pydantic's ``error.errors()``, of which it never shows the input,
            ``{"field": "message"}``, and plain sentences.
        detail: One sentence about the whole input.
    """

    status_code = 422
    code = "validation_error"
    detail = "Validation error."

    def __init__(self, errors: Any, detail: str | None = None) -> None:
        super().__init__(detail, errors=errors)


class ValidationError(ValidationException):
    """The input breaks a rule that the service checks beyond the schema.

    ``ValidationError("Invalid input", details=[...])``: *details* takes what
    `ValidationException` takes as *errors*.
    """

    code = "invalid_input"
    detail = "Invalid input."

    def __init__(self, detail: str | None = None, details: Any = None) -> None:
        super().__init__([] if details is None else details, detail)


class _TryLaterException(BaseAPIException):
    """Errors that know when it is worth trying again.

    Args:
        detail: As in `BaseAPIException`.
        retry_after: Seconds from now, rounded up. Sent as the header ``Retry-After``
            and, for callers that see no headers, as the member ``retry_after``.
        headers: As in `BaseAPIException`.
        extra: As in `BaseAPIException`.
    """

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        if retry_after is not None and isfinite(retry_after):
            extra["retry_after"] = max(0, ceil(retry_after))
            headers = {"Retry-After": str(extra["retry_after"]), **(headers or {})}
        super().__init__(detail, headers=headers, **extra)


class RateLimitExceededException(_TryLaterException):
    """The caller sent more requests than its limit allows."""

    status_code = 429
    code = "rate_limit_exceeded"
    detail = "Too many requests."


class ServiceUnavailableException(_TryLaterException):
    """A service that this one needs, or this one itself, is down for now."""

    status_code = 503
    code = "service_unavailable"
    detail = "A required downstream service is currently unavailable."


class UpstreamException(BaseAPIException):
    """A service that this one called answered wrongly (502) or too late (504).

    Args:
        detail: As in `BaseAPIException`.
        status_code: 502, or 504 for a call that took too long.
        headers: As in `BaseAPIException`.
        extra: As in `BaseAPIException`.

    Raises:
        ValueError: Another status.
    """

    status_code = 502
    code = "upstream_error"
    detail = "An upstream service failed."

    def __init__(
        self,
        detail: str | None = None,
        *,
        status_code: int = 502,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        if status_code not in (502, 504):
            raise ValueError(
                f"An UpstreamException is a 502 or a 504 (got {status_code!r})."
            )
        if status_code == 504:
            self.status_code = 504
            detail = detail or "An upstream service did not answer in time."
        super().__init__(detail, headers=headers, **extra)


def owners() -> dict[str, type[BaseAPIException]]:
    """Every code with the class that declares it, in order of declaration."""
    return dict(_owners)


def revive(
    cls: type[_E],
    detail: str | None,
    *,
    extra: Mapping[str, Any],
    headers: Mapping[str, str],
) -> _E:
    """An error of *cls* from what the wire carried, without its ``__init__``."""
    error = _blank(cls)
    BaseAPIException.__init__(error, detail)
    error.headers = merge_headers(error.headers, headers)
    error.extra_info = dict(extra)
    return error


def _blank(cls: type[_E], *args: object) -> _E:
    return cls.__new__(cls, *args)


def _text(value: object) -> str:
    text = jsonable(value)
    return text if isinstance(text, str) else str(text)
