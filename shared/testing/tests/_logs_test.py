from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared.logging import correlation_id_var, log_event
from shared.testing import captured_logs

NAME = "shared.testing.of_this_test"
LOG = logging.getLogger(NAME)


@pytest.fixture(autouse=True)
def level_of_the_logger() -> Iterator[None]:
    """Put the logger back as it was."""
    yield
    LOG.setLevel(logging.NOTSET)
    LOG.propagate = True


def test_lines_are_what_the_service_would_write() -> None:
    """Fields, extras, correlation id and the event's data, as dicts."""
    token = correlation_id_var.set("c-1")
    with captured_logs(service="orders") as logs:
        LOG.info("paid %d", 3, extra={"order_id": 7})
        log_event(LOG, "order.paid", {"order_id": 7})
    correlation_id_var.reset(token)

    assert logs.messages == ["paid 3", "order.paid"]
    assert logs.having(order_id=7, service="orders", correlation_id="c-1") == logs[:1]
    assert logs.having(event="order.paid")[0]["data"] == {"order_id": 7}


def test_a_missing_field_is_not_none() -> None:
    """``having(x=None)`` asks for a line that has it."""
    with captured_logs() as logs:
        LOG.info("plain")

    assert logs.having(order_id=None) == []


def test_secrets_are_hidden_as_in_production() -> None:
    """So a test can show that they are."""
    with captured_logs() as logs:
        LOG.info("login", extra={"password": "hunter2"})

    assert "hunter2" not in str(logs)
    assert logs[0]["password"] != "hunter2"


def test_nothing_is_collected_outside() -> None:
    """Before, after, or when the block failed."""
    with pytest.raises(RuntimeError, match="boom"), captured_logs() as logs:
        raise RuntimeError("boom")
    LOG.warning("after")

    assert logs == []


def test_less_severe_lines_are_left_out() -> None:
    """*level* is the least severe one, by name or number."""
    with captured_logs(level="WARNING") as logs:
        LOG.info("no")
        LOG.warning("yes")

    assert logs.messages == ["yes"]


def test_levels_are_put_back() -> None:
    """A test does not change how loud the next one is."""
    LOG.setLevel(logging.ERROR)

    with captured_logs(NAME):
        assert LOG.level == logging.DEBUG

    assert LOG.level == logging.ERROR


def test_a_louder_logger_stays_loud() -> None:
    """Another listener may want the lines that this one does not."""
    LOG.setLevel(logging.DEBUG)

    with captured_logs(NAME, level="ERROR"):
        assert LOG.level == logging.DEBUG


def test_a_logger_that_does_not_propagate_is_heard_by_name() -> None:
    """Its lines never reach the root."""
    LOG.propagate = False

    with captured_logs() as root, captured_logs(NAME) as named:
        LOG.info("here")

    assert (root, named.messages) == ([], ["here"])


def test_an_unknown_level_is_refused() -> None:
    """As ``logging`` refuses it, before anything changes."""
    with (
        pytest.raises(ValueError, match="Unknown level: 'LOUD'"),
        captured_logs(level="LOUD"),
    ):
        pass
