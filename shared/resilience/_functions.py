"""What kind of function is to be wrapped, and which errors of it matter.

Private: used by ``shared.resilience`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeAlias, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

# Which errors are meant: a class, several, or a function that tells.
ErrorTest: TypeAlias = (
    type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling *function* gives something to await.

    Raises:
        TypeError: It can't be called, or is a generator, which has done nothing yet
            when the call returns.
    """
    if not callable(function):
        raise TypeError(f"Only functions are wrapped (got {type(function).__name__}).")
    # An object with __call__ is what its __call__ is; a function has one too, in C.
    forms = (function, getattr(function, "__call__", None))  # noqa: B004 see above
    if any(isgeneratorfunction(form) or isasyncgenfunction(form) for form in forms):
        raise TypeError(
            f"{function!r} is a generator, whose call does nothing yet. "
            "Wrap what its body calls."
        )
    return any(map(iscoroutinefunction, forms))


def plain(callback: _F) -> _F:
    """*callback*, if it can be called and is done when the call returns.

    Raises:
        TypeError: It is a coroutine function, which nobody would await.
    """
    if is_async(callback):
        raise TypeError(f"{callback!r} must not be async: nobody awaits it.")
    return callback


def error_test(
    on: ErrorTest, *, but: type[Exception] | None = None
) -> Callable[[Exception], bool]:
    """A function that tells whether an error is one of *on*.

    Args:
        on: What is meant.
        but: Not meant by the classes above it, only by itself or by a function.

    Raises:
        TypeError: *on* holds something else than subclasses of `Exception`, such as
            ``asyncio.CancelledError``, which must reach whoever cancelled.
    """
    if not isinstance(on, type | tuple):
        if not callable(on):
            raise TypeError(
                "on must be exception classes, or a function of an error "
                f"(got {type(on).__name__})."
            )
        return plain(on)
    classes: tuple[Any, ...] = on if isinstance(on, tuple) else (on,)
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            raise TypeError(f"on must hold subclasses of Exception only (got {cls!r}).")
    if but is None or any(issubclass(cls, but) for cls in classes):
        return lambda error: isinstance(error, classes)
    return lambda error: isinstance(error, classes) and not isinstance(error, but)
