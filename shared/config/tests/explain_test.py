from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from shared.config import __main__ as program
from shared.config import render_env_example, render_markdown
from shared.config.__main__ import main

TWICE = (
    "Twice reads SECRET_KEY twice: as security.secret_key and as secret_key. "
    'Drop one, or name it with Annotated[..., Env("NAME")].'
)
MODEL = """
from pydantic import AnyUrl, PostgresDsn, SecretStr
from shared.config import ServiceConfig

class Settings(ServiceConfig):
    app_secret: SecretStr

class Twice(ServiceConfig):
    secret_key: SecretStr

class Linked(ServiceConfig):
    legacy: PostgresDsn = PostgresDsn("postgres://u:hunter2@h/d")
    callback: AnyUrl = AnyUrl("https://h/?token=hunter2")
    apikey: str = "hunter2"
    options: tuple[tuple[str, str], ...] = (("password", "hunter2"),)

class Other:
    pass
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, and no setting from outside."""
    for name in ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shared.config._reading.DEFAULT_SECRETS_DIR", tmp_path / "none")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Setting, masked value, origin, in columns."""
    (folder / ".env").write_text("DB_POOL_SIZE=8\n")
    monkeypatch.setenv("MY_SERVICE_DATABASE_URL", "postgresql://u:hunter2@h/db")
    code, out, err = run(capsys, "my-service")
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()]

    assert (code, err) == (0, "")
    assert rows[0] == ["SETTING", "VALUE", "ORIGIN"]
    assert [
        "DATABASE_URL",
        "postgresql://u:***@h/db",
        "environment (MY_SERVICE_DATABASE_URL)",
    ] in rows
    assert ["DB_POOL_SIZE", "8", ".env line 1"] in rows
    assert ["REDIS_URL", "-", "default"] in rows


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: a list of objects."""
    code, out, _ = run(capsys, "my-service", "--format", "json")
    settings = json.loads(out)

    assert code == 0
    assert settings[0] == {
        "name": "DATABASE_URL",
        "path": "database.url",
        "value": "sqlite:///./my-service.db",
        "type": "URL",
        "origin": "default",
        "variable": None,
    }


@pytest.mark.parametrize("form", ["table", "json", "markdown", "env-example"])
@pytest.mark.parametrize("environ", [{}, {"LEGACY": "postgres://u:hunter2@h/d"}])
def test_no_format_shows_a_password(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
    environ: dict[str, str],
) -> None:
    """Be it a default or set, in a URL of pydantic's type or under a secret's name."""
    (folder / "linked_settings.py").write_text(MODEL)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    code, out, err = run(
        capsys, "my-service", "--model", "linked_settings:Linked", "--format", form
    )

    assert (code, err) == (0, "")
    assert "hunter2" not in out
    assert "postgres://u:***@h/d" in out
    assert "https://h/?token=***" in out


def test_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """They show the model, so a wrong setting does not matter."""
    arguments = ("my-service", "--env-file", "gone", "--format")

    assert run(capsys, *arguments, "env-example") == (0, render_env_example(), "")
    assert run(capsys, *arguments, "markdown") == (0, render_markdown(), "")


def test_problems_end_with_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, as at the start of the service, and no value."""
    monkeypatch.setenv("DB_POOL_SIZE", "hunter2")
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    code, out, err = run(capsys, "my-service")

    assert (code, out) == (1, "")
    assert err.startswith("my-service: 2 settings to correct (values hidden):\n")
    assert "  DB_POOL_SIZE (environment): Must be an integer." in err
    assert "hunter2" not in err


def test_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is odd is told beside the table."""
    monkeypatch.setenv("DATABSE_URL", "x")
    code, _, err = run(capsys, "my-service")

    assert code == 0
    assert err == (
        "note: DATABSE_URL (environment): unknown; did you mean DATABASE_URL?\n"
    )


def test_paths_are_the_callers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below `bazel run` the working directory is another, and .env is not in it."""
    caller = folder / "caller"
    (caller / "secrets").mkdir(parents=True)
    (caller / "secrets" / "redis_url").write_text("redis://h")
    (caller / "other.env").write_text("DB_POOL_SIZE=9")
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(caller))
    places = ("--env-file", "other.env", "--secrets-dir", "secrets")
    _, out, _ = run(capsys, "my-service", *places)

    assert re.search(r"DB_POOL_SIZE +9 +other.env line 1\n", out)
    assert re.search(r"REDIS_URL +redis://h +file secrets/redis_url\n", out)


def test_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service's own settings, found in the workspace."""
    (folder / "workspace").mkdir()
    (folder / "workspace" / "explained_settings.py").write_text(MODEL)
    monkeypatch.setenv("BUILD_WORKSPACE_DIRECTORY", str(folder / "workspace"))
    monkeypatch.setenv("APP_SECRET", "hunter2")
    model = ("--model", "explained_settings:Settings")
    code, out, _ = run(capsys, "my-service", *model)

    assert code == 0
    assert re.search(r"APP_SECRET +\*{10} +environment\n", out)
    monkeypatch.delenv("APP_SECRET")
    code, _, err = run(capsys, "my-service", *model)
    assert code == 1
    assert "APP_SECRET: Is required and not set." in err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("explained", "--model is written package.module:Class."),
        (":Settings", "--model is written package.module:Class."),
        ("not_there:Settings", "--model: No module named 'not_there'"),
        ("stopping:Settings", "--model: stopping stopped with KeyError."),
        ("other:Other", "--model: other:Other is no subclass of ServiceConfig."),
        ("other:Gone", "--model: other:Gone is no subclass of ServiceConfig."),
        ("other:Twice", f"--model: {TWICE}"),
    ],
)
def test_wrong_models(
    folder: Path, capsys: pytest.CaptureFixture[str], model: str, message: str
) -> None:
    """One clear line, exit code 2, and nothing that a module says about itself."""
    (folder / "stopping.py").write_text("raise KeyError('hunter2')")
    (folder / "other.py").write_text(MODEL)

    with pytest.raises(SystemExit, match="2"):
        main(["my-service", "--model", model])
    err = capsys.readouterr().err
    assert err.endswith(f"explain: error: {message}\n")
    assert "hunter2" not in err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the command does, its formats, and its exit codes."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = capsys.readouterr().out

    assert "Secrets are masked." in out
    assert "{table,env-example,markdown,json}" in out
    assert "Exit codes: 0, 1 if" in out


def test_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code is that of the process."""
    monkeypatch.setattr(sys, "argv", ["explain", "My-Service"])

    with pytest.raises(SystemExit, match="1"):
        runpy.run_path(str(program.__file__), run_name="__main__")
    assert "Write it like subject-service." in capsys.readouterr().err
