from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config._names import feature_of, prefix_of, service_of, url_variable

SERVICES = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+){0,3}-service", fullmatch=True)


@given(service=SERVICES)
def test_a_service_and_its_variable_name_each_other(service: str) -> None:
    """From the name to the variable and back."""
    variable = url_variable(service)

    assert variable == prefix_of(service) + "URL"
    assert service_of(variable) == service


@pytest.mark.parametrize("name", ["auth", "auth_service", "Auth-Service", "-service"])
def test_other_names_have_no_variable(name: str) -> None:
    """Their variable could not be told from any other that ends in _URL."""
    assert url_variable(name) is None


@pytest.mark.parametrize(
    "variable", ["DATABASE_URL", "SERVICE_URL", "_SERVICE_URL", "AUTH_SERVICE_URL_2"]
)
def test_no_service(variable: str) -> None:
    """Only NAME_SERVICE_URL is about another service."""
    assert service_of(variable) is None


def test_features() -> None:
    """FEATURE_ and a name, written as in code."""
    assert feature_of("FEATURE_NEW_EDITOR") == "new-editor"
    assert feature_of("FEATURE_2") == "2"
    assert feature_of("FEATURE_") is None
    assert feature_of("MY_FEATURE_X") is None
