from __future__ import annotations

import keyword
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.new_service.errors import BadInputError
from tools.new_service.naming import Names, names, plural

KEBAB = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,6}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("service", "package", "model", "path"),
    [
        ("user-service", "user_service", "User", "users"),
        ("api-platform", "api_platform", "ApiPlatform", "api-platforms"),
        ("category-service", "category_service", "Category", "categories"),
        ("inbox-service", "inbox_service", "Inbox", "inboxes"),
        ("survey", "survey", "Survey", "surveys"),
        ("analytics", "analytics", "Analytics", "analytics"),
        ("page-service", "page_service", "PageRecord", "pages"),
        ("none-service", "none_service", "NoneRecord", "nones"),
        ("value-error", "value_error", "ValueErrorRecord", "value-errors"),
        ("settings-service", "settings_service", "SettingsRecord", "settings"),
    ],
)
def test_spellings(service: str, package: str, model: str, path: str) -> None:
    """The name gives the others, and none of them hides one of Python or the kernel."""
    found = names(service)

    assert (found.package, found.model, found.path) == (package, model, path)
    assert found.table == path.replace("-", "_")


def test_words_for_people() -> None:
    """Sentences and titles have no hyphens."""
    found = names("api-key-service")

    assert (found.thing, found.things) == ("api key", "api keys")
    assert (found.words, found.prefix) == ("Api Key Service", "API_KEY_SERVICE")


@given(KEBAB)
def test_every_accepted_name_is_good_everywhere(service: str) -> None:
    """Python takes package and class, and SQL the table."""
    try:
        found = names(service)
    except BadInputError:
        return

    assert found.package.isidentifier()
    assert not keyword.iskeyword(found.package)
    assert found.model.isidentifier()
    assert not keyword.iskeyword(found.model)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,40}", found.table)


@pytest.mark.parametrize(
    "service",
    [
        "",
        "a",
        "User-Service",
        "user_service",
        "user service",
        "user--service",
        "-user",
        "user-",
        "8-ball",
        "../user",
        "user/service",
        "café",
        "user-service\n",
        "{{ user }}",
        "a" * 33,
        "-service",
    ],
)
def test_refuses_what_is_not_kebab_case(service: str) -> None:
    """The line shows the name, without what a terminal would obey, and the rule."""
    with pytest.raises(BadInputError, match="2 to 32 lower-case letters") as caught:
        names(service)

    assert ascii(service)[:20] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("import", "keyword of Python"),
        ("drift", "a command of the generator"),
        ("shared", "a folder at the root"),
        ("postgres", "a server of the root's compose file"),
        ("test", "settings that every service has"),
        ("nul", "a device on Windows"),
        ("sqlite-thing", "SQLite keeps to itself"),
    ],
)
def test_refuses_what_means_something_else(service: str, reason: str) -> None:
    """The reason is told, and a name that would do is shown."""
    with pytest.raises(BadInputError, match=reason):
        names(service)


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("box", "boxes"), ("day", "days"), ("status", "statuses"), ("class", "classes")],
)
def test_plural(noun: str, expected: str) -> None:
    """The rules of English that cover most nouns."""
    assert plural(noun) == expected


def test_names_are_values() -> None:
    """Two of one service are equal."""
    assert names("user-service") == Names("user-service")
