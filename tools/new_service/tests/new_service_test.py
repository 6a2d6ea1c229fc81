from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.new_service.answers import FILE
from tools.new_service.new_service import main

SERVICE = ["user-service", "8005"]


def listing(root: Path) -> list[str]:
    """Every file and folder below *root*."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_makes_a_service(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plain form of the README: name, port, title, description."""
    code = main([*SERVICE, "--title", "User Service", "--description", "All users"])

    out, err = capsys.readouterr()
    folder = root / "services/user_service"
    written = [p for p in listing(folder) if (folder / p).is_file()]
    assert (code, err) == (0, "")
    assert all(f"  services/user_service/{path}\n" in out for path in written)
    assert "./bazelw run //services/user_service " in out
    assert {"app.py", "BUILD.bazel", "Dockerfile", FILE} <= {*written}
    assert 'description = "All users"' in (folder / FILE).read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", *SERVICE],
        ["--title=T", *SERVICE],
        ["user-service", "--description", "d", "8005"],
    ],
)
def test_other_orders_of_the_same(root: Path, arguments: list[str]) -> None:
    """`new` may be said, and options may stand anywhere."""
    assert main(arguments) == 0
    assert (root / "services/user_service/app.py").exists()


def test_a_dry_run_lists_and_writes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same list, and an untouched workspace."""
    before = listing(root)

    code = main([*SERVICE, "--dry-run"])

    assert code == 0
    assert "  services/user_service/app.py\n" in capsys.readouterr().out
    assert listing(root) == before


def test_markup_in_a_title_is_text(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rich does not obey it."""
    code = main([*SERVICE, "--title", "[red]x[/nothing] {{ y }} 'z'"])

    assert (code, capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, ""),
        (["User_Service", "8005"], 2, "'User_Service' is no service name"),
        (["import", "8005"], 2, "keyword"),
        (["user-service", "80"], 2, "Port 80 is out of range"),
        (["user-service", "many"], 2, "valid integer"),
        (["user-service"], 2, "Missing argument 'PORT'"),
        ([*SERVICE, "more"], 2, "more"),
        ([*SERVICE, "--titel=x"], 2, "--titel"),
        ([*SERVICE, "--title", "a\nb"], 2, "--title holds U+000A"),
        ([*SERVICE, "--description", "\x00"], 2, "--description holds U+0000"),
        (["drift"], 2, "Missing argument 'NAME'"),
        (["drift", "user-service"], 2, "There is no services/user_service"),
        (["drift", "User"], 2, "'User' is no service name"),
        (["other-service", "5432"], 1, "Port 5432 is taken by docker-compose.yml"),
    ],
)
def test_what_is_refused_is_one_line_and_writes_nothing(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """Wrong words are 2; what the repository has against it is 1."""
    (root / "docker-compose.yml").write_text(
        'services: {postgres: {ports: ["127.0.0.1:5432:5432"]}}'
    )
    before = listing(root)

    returned = main(arguments)

    err = capsys.readouterr().err
    assert (returned, err.count("\n")) == (code, min(1, len(err)))
    assert message in err
    assert listing(root) == before


def test_a_second_time_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was changed meanwhile stays."""
    main(SERVICE)
    app = root / "services/user_service/app.py"
    app.write_text("mine")
    capsys.readouterr()

    code = main(["user-service", "8006"])

    assert code == 1
    assert capsys.readouterr().err.startswith(
        "new_service: services/user_service exists already, and nothing in it is"
    )
    assert app.read_text() == "mine"


def test_a_port_is_taken_by_the_service_made_before(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two services of one repository can run on one machine."""
    main(SERVICE)

    code = main(["other-service", "8005"])

    assert code == 1
    assert "taken by services/user_service/" in capsys.readouterr().err
    assert not (root / "services/other_service").exists()


def test_an_interruption_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl+C is no crash, and leaves the workspace as it was."""
    before = listing(root)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)

    assert main(SERVICE) == 130
    assert capsys.readouterr().err == "new_service: interrupted.\n"
    assert listing(root) == before


def test_whoever_stops_reading_the_diff_gets_no_traceback(root: Path) -> None:
    """`drift user-service | head -1`."""
    assert main(SERVICE) == 0
    for path in (root / "services/user_service").rglob("*.py"):
        path.write_text("x\n" * 50_000)
    program = "import sys; from tools.new_service.new_service import main;"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program} sys.exit(main(['drift', 'user-service']))"],
        env=os.environ | {"PYTHONPATH": ":".join(map(os.path.abspath, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("diff --git ")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Error" not in err


def test_outside_of_a_checkout(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written where no service could be built."""
    monkeypatch.delenv("BUILD_WORKSPACE_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)

    assert main(SERVICE) == 1
    assert "run ./bazelw run //tools/new_service in a" in capsys.readouterr().err
    assert listing(tmp_path) == []


@pytest.mark.parametrize("arguments", [["--help"], ["new", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is asked for, so it is no error, and it says how the program is called."""
    assert main(arguments) == 0
    assert "./bazelw run //tools/new_service --" in capsys.readouterr().out


def test_no_arguments_show_the_help_and_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A script that forgot them should notice."""
    assert main([]) == 2
    assert "drift" in capsys.readouterr().out


def test_a_fresh_service_has_no_drift(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what the templates make of it."""
    main([*SERVICE, "--title", "'\"{{ ü"])
    capsys.readouterr()

    code = main(["drift", "user-service"])

    out, err = capsys.readouterr()
    assert (code, out) == (0, "")
    assert "is what today's templates make of its answers" in err


def test_drift_is_a_diff_that_git_applies(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service with an edited, a removed and an emptied file is whole again."""
    main(SERVICE)
    folder = root / "services/user_service"
    (folder / "app.py").write_text("mine\n")
    (folder / "README.md").unlink()
    (folder / ".env.example").write_text("")
    capsys.readouterr()

    code = main(["drift", "user-service"])

    out, err = capsys.readouterr()
    assert code == 1
    assert all(word in err for word in ("app.py", "edited here", "removed here"))
    subprocess.run(["git", "apply", "-"], cwd=root, input=out, text=True, check=True)
    assert main(["drift", "user-service"]) == 0


def test_upstream_leaves_out_own_edits(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the service made of its files is its own business."""
    main(SERVICE)
    (root / "services/user_service/app.py").write_text("mine\n")
    capsys.readouterr()

    assert main(["drift", "user-service", "--upstream"]) == 0
    assert capsys.readouterr().out == ""


def test_an_older_template_shows_as_upstream(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that nobody touched since an older template made it."""
    main(SERVICE)
    folder = root / "services/user_service"
    old = "# As it was once.\n"
    memory = (folder / FILE).read_text()
    from tools.new_service.render import digest

    new_digest = digest((folder / ".env.example").read_text())
    (folder / ".env.example").write_text(old)
    (folder / FILE).write_text(memory.replace(new_digest, digest(old)))
    capsys.readouterr()

    code = main(["drift", "user-service", "--upstream"])

    out, err = capsys.readouterr()
    assert code == 1
    assert "the template changed" in err
    subprocess.run(["git", "apply", "-"], cwd=root, input=out, text=True, check=True)
    assert (folder / FILE).read_text() == memory


def test_bytes_that_are_no_text_stop_the_comparison(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file."""
    main(SERVICE)
    (root / "services/user_service/app.py").write_bytes(b"\xff")
    capsys.readouterr()

    assert main(["drift", "user-service"]) == 2
    assert "services/user_service/app.py is not UTF-8" in capsys.readouterr().err
