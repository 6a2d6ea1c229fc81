"""What an error about a message says."""

import copy
import pickle

from shared.events._errors import EventFormatError, FormatIssue


def test_the_message_names_places_and_codes() -> None:
    """An operator sees at once what is wrong and where."""
    error = EventFormatError([FormatIssue("", "json_invalid"), FormatIssue("/a", "x")])

    assert str(error) == "Not a valid event: the message (json_invalid), /a (x)."
    assert isinstance(error, ValueError)


def test_the_message_is_bounded() -> None:
    """Whoever sends a thousand mistakes does not fill the log."""
    error = EventFormatError([FormatIssue(f"/{'x' * 10**6}", "missing")] * 1000)

    assert len(str(error)) < 2000
    assert str(error).endswith("and 995 more.")


def test_errors_survive_pickle_and_copies() -> None:
    """Process pools hand back the error that was raised."""
    error = EventFormatError([FormatIssue("/a", "missing")])
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(twin), twin.issues) == (EventFormatError, error.issues)
