from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import run


def test_a_folder_stands_for_its_topics() -> None:
    """A service is measured as a whole, or one topic of it."""
    whole = run.topics_of("api_platform")

    assert [run.topics_of(topic) for topic in whole] == [[topic] for topic in whole]
    assert whole == [topic for topic in run.TOPICS if topic.startswith("api_platform/")]
    assert whole


@pytest.mark.parametrize("name", ["api", "api_platform/", "unknown", ""])
def test_what_is_no_topic_stands_for_none(name: str) -> None:
    """A name that is mistyped is told, not passed over."""
    assert run.topics_of(name) == []


def test_every_topic_is_a_program() -> None:
    """Of its name, beside run.py."""
    folder = Path(run.__file__).parent

    missing = [name for name in run.TOPICS if not (folder / f"{name}.py").exists()]
    assert missing == []
