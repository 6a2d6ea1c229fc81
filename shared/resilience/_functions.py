"""What kind of function is to be wrapped.

Private: used by ``shared.resilience`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


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
