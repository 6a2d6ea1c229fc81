from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from shared.resilience._functions import is_async, plain


def function() -> None: ...


async def coroutine() -> None: ...


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


class Plain:
    def __call__(self) -> None: ...

    async def method(self) -> None: ...


class Async:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize("given", [function, Plain(), Plain, len, lambda: None])
def test_function(given: Callable[..., Any]) -> None:
    """It has done its work when the call returns."""
    assert is_async(given) is False
    assert plain(given) is given


@pytest.mark.parametrize(
    "given", [coroutine, Async(), Plain().method, functools.partial(coroutine)]
)
def test_coroutine_function(given: Callable[..., Any]) -> None:
    """It gives something to await, however it was made; a callback must not."""
    assert is_async(given) is True
    with pytest.raises(TypeError, match="must not be async: nobody awaits it"):
        plain(given)


@pytest.mark.parametrize("given", [generator, async_generator])
def test_generator_is_refused(given: Callable[..., Any]) -> None:
    """Its errors come when somebody iterates, long after the call."""
    with pytest.raises(TypeError, match="is a generator, whose call does nothing yet"):
        is_async(given)


def test_what_is_no_function_is_refused() -> None:
    """Such as the result of a call, written by mistake; its value is not shown."""
    wrong: Any = "hunter2"

    with pytest.raises(TypeError, match=r"^Only functions are wrapped \(got str\)\.$"):
        is_async(wrong)
