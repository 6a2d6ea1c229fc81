from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import (
    ConfigurationError,
    Env,
    ServiceConfig,
    explain_config,
    load_config,
)
from shared.config._tree import settings_of
from shared.config._unknown import _distance

SERVICE = "subject-service"


def told(
    environ: dict[str, str], dotenv: Path | None = None, service: str = SERVICE
) -> tuple[list[str], list[str]]:
    """The errors and the notes about names."""
    try:
        explanation = explain_config(
            service, environ=environ, env_file=dotenv, secrets_dir=None
        )
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems], []
    return [], [str(note) for note in explanation.notes]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("DATABASE_ULR", "DATABASE_URL"),
        ("DATBASE_ULR", "DATABASE_URL"),
        ("database_url", "DATABASE_URL"),
        ("SECRETKEY", "SECRET_KEY"),
        ("SECRET_KEY_FLE", None),
        ("SECRT_KEY_FILE", "SECRET_KEY_FILE"),
        ("DATABASE_POOL_SIZE", "DB_POOL_SIZE"),
        ("SERVER_MAX_BODY_BYTES", "MAX_BODY_BYTES"),
        ("SECRET_DIR", "SECRETS_DIR"),
        ("SUBJECT_SERVICE_DATABSE_URL", "SUBJECT_SERVICE_DATABASE_URL"),
        ("SUBJET_SERVICE_DATABASE_URL", "SUBJECT_SERVICE_DATABASE_URL"),
        ("SUBJECT_SERVICE_PORT", "SUBJECT_SERVICE_SERVER_PORT"),
        ("SUBJECT_SERVICE_URI", "SUBJECT_SERVICE_URL"),
        ("AUTH_SERVICE_URI", "AUTH_SERVICE_URL"),
    ],
)
def test_a_slip_in_env_is_an_error(
    tmp_path: Path, name: str, meant: str | None
) -> None:
    """The file is this service's own, so a close name was meant for it."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{name}=hunter2\n")
    expected = {
        True: [],
        False: [f"{name} ({dotenv} line 1): unknown; did you mean {meant}?"],
    }[meant is None]

    assert told({}, dotenv) == (expected, [])


@pytest.mark.parametrize(
    "name",
    [
        "POSTGRES_PASSWORD",  # of the compose file
        "API_KEY",  # two letters from AES_KEY
        "WORKER_DATABASE_URL",  # another service's
        "DB",
        "REDIS_DB",
        "VALUE_1",
        "SUBJECT_SERVICE_WORKER_DATABASE_URL",  # of subject-service-worker
        "tls.crt",
    ],
)
def test_other_names_in_env_are_left_alone(tmp_path: Path, name: str) -> None:
    """Compose and other tools read the file too."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{name}=1\n")

    assert told({}, dotenv) == ([], [])


def test_an_unknown_name_with_the_prefix_is_an_error() -> None:
    """Nobody else begins names so, close to a setting or not."""
    problems, _ = told({"SUBJECT_SERVICE_COLOUR": "red", "SUBJECT_SERVICE_LOG": "1"})

    assert problems == [
        "SUBJECT_SERVICE_COLOUR (environment): unknown. Remove it or correct its name.",
        "SUBJECT_SERVICE_LOG (environment): unknown. Remove it or correct its name.",
    ]


def test_a_short_prefix_is_other_programs_too() -> None:
    """PYTHON_VERSION is no setting of a service called python, PYTHON_LOG_LVEL is."""
    assert told({"PYTHON_VERSION": "3.12"}, service="python") == ([], [])
    problems, _ = told({"PYTHON_LOG_LVEL": "INFO"}, service="python")
    assert problems == [
        "PYTHON_LOG_LVEL (environment): unknown; did you mean PYTHON_LOG_LEVEL?"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_HOST", "10.0.0.7"),
        ("SERVICE_PORT", "8000"),
        ("SERVICE_PORT_HTTP", "8000"),
        ("PORT", "tcp://10.0.0.7:8000"),
        ("PORT_8000_TCP", "tcp://10.0.0.7:8000"),
        ("PORT_8000_TCP_PROTO", "tcp"),
        ("PORT_8000_UDP_ADDR", "10.0.0.7"),
    ],
)
def test_what_kubernetes_sets(name: str, value: str) -> None:
    """A Service called as ours gives every pod such names; they are no settings."""
    assert told({f"SUBJECT_SERVICE_{name}": value}) == ([], [])
    config = load_config(
        SERVICE,
        environ={f"SUBJECT_SERVICE_{name}": value},
        env_file=None,
        secrets_dir=None,
    )
    assert config.server.port == 8000


def test_a_slip_in_the_environment_is_a_note() -> None:
    """Other programs have names there, so it may not stop the service."""
    assert told({"DATABSE_URL": "hunter2"}) == (
        [],
        ["DATABSE_URL (environment): unknown; did you mean DATABASE_URL?"],
    )


def test_no_note_if_the_setting_is_set() -> None:
    """Then the other name is somebody else's."""
    environ = {"DATABASE_URI": "1", "DATABASE_URL": "sqlite://"}

    assert told(environ) == ([], [])


def test_notes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody calls explain, the log tells it."""
    load_config(
        SERVICE, environ={"DATABSE_URL": "hunter2"}, env_file=None, secrets_dir=None
    )

    assert caplog.record_tuples == [
        (
            "shared.config",
            30,
            "DATABSE_URL (environment): unknown; did you mean DATABASE_URL?",
        )
    ]


def test_a_slip_in_the_directory_of_secrets(tmp_path: Path) -> None:
    """A file that nobody reads is told as well."""
    (tmp_path / "secret_kye").write_text("hunter2")
    (tmp_path / "rhsm").write_text("x")

    with pytest.raises(ConfigurationError, match="unknown; did you mean") as caught:
        load_config(SERVICE, environ={}, env_file=None, secrets_dir=tmp_path)
    assert [problem.name for problem in caught.value.problems] == ["SECRET_KYE"]


class Numbered(ServiceConfig):
    """Names that differ by a digit."""

    worker_1_secret: str = ""


def test_numbers_make_names() -> None:
    """WORKER_2_SECRET is no slip of WORKER_1_SECRET."""
    explanation = explain_config(
        SERVICE,
        Numbered,
        environ={"WORKER_2_SECRET": "x"},
        env_file=None,
        secrets_dir=None,
    )

    assert explanation.notes == ()


def test_no_known_name_is_a_slip(tmp_path: Path) -> None:
    """Every setting may stand in .env, with and without the prefix and _FILE."""
    names = [name for each in settings_of(ServiceConfig) for name in each.names]
    own = [each.name for each in settings_of(ServiceConfig)]
    names += [f"{name}_FILE" for name in names]
    names += [f"SUBJECT_SERVICE_{name}" for name in own]
    names += ["AUTH_SERVICE_URL", "SUBJECT_SERVICE_AUTH_SERVICE_URL", "FEATURE_X"]
    names += ["SUBJECT_SERVICE_URL", "SUBJECT_SERVICE_FEATURE_X", "SECRETS_DIR"]
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}=\n" for name in names))

    assert told({}, dotenv) == ([], [])


WORDS = st.text("ABC_", max_size=6)


@given(one=WORDS, other=WORDS)
def test_distance_is_symmetric_and_zero_for_the_same(one: str, other: str) -> None:
    """As a distance is."""
    distance = _distance(one, other, 9)

    assert distance == _distance(other, one, 9)
    assert (distance == 0) is (one == other)
    assert distance <= max(len(one), len(other))


def test_distance_counts_slips() -> None:
    """One each: a letter too much, too few, wrong, and two swapped."""
    assert [_distance("URL", other, 2) for other in ("URLS", "UL", "URI", "ULR")] == [
        1,
        1,
        1,
        1,
    ]


def test_env_is_used() -> None:
    """The variable of Env is the one that is suggested."""
    assert Env("A", "B").names == ("A", "B")


@given(one=WORDS, other=WORDS, limit=st.integers(0, 3))
def test_the_limit_changes_no_answer(one: str, other: str, limit: int) -> None:
    """What is skipped as too far is too far."""
    near = _distance(one, other, 99) <= limit

    assert (_distance(one, other, limit) <= limit) is near
