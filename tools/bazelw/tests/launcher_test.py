"""What a user of `./bazelw` meets, whichever way Bazel came."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tools.bazelw.tests.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without Bazel."""
    return Machine(tmp_path)


def files_of(folder: Path) -> list[Path]:
    """Everything in a folder that Python did not put there."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def old_python(machine: Machine, name: str = "python3") -> None:
    """Let *name* be a Python 3.9."""
    machine.write_program(
        machine.bin / name, '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\n'
    )
    (machine.home / "env/bin/python3").unlink(missing_ok=True)


def test_arguments_reach_bazel_untouched(machine: Machine) -> None:
    """Spaces, quotes, globs, empty words and options of ours' look are Bazel's."""
    machine.add_bazel()
    words = ["run", "//a:b", "--", "two words", "", "*", "a'b\"c", "$HOME", "--help"]

    done = machine.run(*words)

    assert done.returncode == 0
    assert machine.bazel_arguments[-len(words) :] == words


def test_no_arguments_are_no_arguments(machine: Machine) -> None:
    """Bazel without arguments prints its help."""
    machine.add_bazel()

    machine.run()

    assert machine.bazel_arguments == []


def test_exit_code_is_bazels(machine: Machine) -> None:
    """CI tells a red test (3) from a broken build (1) by it."""
    machine.add_bazel(then="exit 3")

    assert machine.run("info").returncode == 3


def test_signals_reach_bazel(machine: Machine) -> None:
    """Bazel takes the place of bazelw, so whoever stops bazelw stops Bazel."""
    machine.add_bazel(then=f"touch '{machine.home}/up'; exec sleep 60")
    child = machine.start("info")
    while not (machine.home / "up").exists():
        time.sleep(0.01)

    child.send_signal(signal.SIGTERM)
    child.communicate()

    assert child.returncode == -signal.SIGTERM


def test_bazel_dies_of_a_closed_pipe(machine: Machine) -> None:
    """`./bazelw query ... | head` ends quietly: Python ignores SIGPIPE, Bazel not."""
    machine.add_bazel(then='kill -PIPE "$$"; exit 7')

    assert machine.run("info").returncode == -signal.SIGPIPE


def test_standard_output_is_bazels(machine: Machine) -> None:
    """`x=$(./bazelw info workspace)` works at the first run too."""
    machine.add_bazel()

    done = machine.run("info")

    assert done.stdout == "from bazel\n"
    assert done.stderr == f"bazelw: Bazel 7.7.1 as installed: {machine.bin}/bazel\n"


def test_way_is_told_once(machine: Machine) -> None:
    """Nobody wants to read it at every run."""
    machine.add_bazel()
    machine.run("info")

    assert machine.run("info").stderr == ""
    assert "as installed" in machine.run("info", KERNEL_BAZELW_VERBOSE="1").stderr


def test_way_is_told_again_when_it_changed(machine: Machine) -> None:
    """Another Bazel than last time explains another behaviour."""
    machine.add_bazel()
    machine.run("info")
    machine.add_bazel("8.4.2")

    assert "Bazel 8.4.2 as installed" in machine.run("info").stderr


def test_runs_from_any_folder_and_through_a_link(machine: Machine) -> None:
    """Bazel starts where the user is, and finds the workspace itself."""
    machine.add_bazel()
    below = machine.root / "tools"
    link = machine.home / "link"
    link.symlink_to(machine.root / "bazelw")
    (machine.home / "further").symlink_to("link")

    done = subprocess.run(
        [machine.home / "further", "info"],
        cwd=below,
        env=machine.environ,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert (machine.calls / "folder").read_text() == str(below)


def test_nothing_is_written_into_the_checkout(machine: Machine) -> None:
    """It may be read-only, or somebody else's."""
    machine.add_distribution(testing="7.7.1")
    machine.lock("alpha==1.0")
    before = files_of(machine.root)

    done = machine.run("build", "//...")

    assert done.returncode == 0
    assert files_of(machine.root) == before


def test_a_folder_named_tools_elsewhere_does_not_matter(machine: Machine) -> None:
    """Neither the user's folder nor PYTHONPATH can put a module in our way."""
    machine.add_bazel()
    (machine.home / "json.py").write_text("raise SystemExit('wrong json')")

    done = machine.run("info", cwd=machine.home, PYTHONPATH=str(machine.home))

    assert done.returncode == 0


def test_python_too_old(machine: Machine) -> None:
    """One message: what is needed, what was found, what to do. Nothing is written."""
    machine.add_bazel()
    old_python(machine)

    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert done.stderr == (
        "bazelw: needs Python 3.11 or newer; found none as python3 python3.14 "
        "python3.13 python3.12 python3.11 (Python 3.9.2).\n"
        "    Install one (on Debian and its kin: apt-get install python3), "
        "or set KERNEL_PYTHON to its path.\n"
    )
    assert not machine.cache.exists()


def test_newer_python_under_its_own_name(machine: Machine) -> None:
    """An old python3 does no harm when there is a python3.12."""
    machine.add_bazel()
    os.rename(machine.home / "env/bin/python3", machine.home / "env/bin/python3.12")
    machine.write_program(machine.bin / "python3", "#!/bin/sh\nexit 1\n")

    assert machine.run("info").returncode == 0


@pytest.mark.parametrize("name", ["/nowhere/python", "old python"])
def test_kernel_python_is_the_only_candidate(machine: Machine, name: str) -> None:
    """A wrong KERNEL_PYTHON is told, not worked around."""
    machine.add_bazel()
    old_python(machine, "old python")

    done = machine.run("info", KERNEL_PYTHON=name)

    assert done.returncode == 36
    assert f"needs Python 3.11 or newer; found none as {name} (" in done.stderr


def test_kernel_python_is_used(machine: Machine) -> None:
    """It wins over PATH, and builds use the interpreter it stands for."""
    machine.add_bazel()
    python = os.path.realpath(machine.home / "env/bin/python3")
    old_python(machine)

    done = machine.run("info", KERNEL_PYTHON=python)

    assert done.returncode == 0
    assert f"--repo_env=KERNEL_PYTHON={python}" in machine.rc


def test_help_needs_nothing(machine: Machine) -> None:
    """It is there before any Bazel is."""
    done = machine.run("help", "bazelw")

    assert done.returncode == 0
    assert "KERNEL_BAZEL_WAY" in done.stdout
    assert str(machine.cache) in done.stdout
    assert not machine.cache.exists()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "KERNEL_BAZEL_WAY",
            "magic",
            "must be one of installed, bazelisk, distribution",
        ),
        ("KERNEL_CACHE", "/dev/null/here", "set KERNEL_CACHE to a folder"),
    ],
)
def test_wrong_variable(
    machine: Machine, variable: str, value: str, message: str
) -> None:
    """Its message names it."""
    machine.add_bazel()
    machine.environ[variable] = value

    done = machine.run("info")

    assert done.returncode == 36
    assert variable in done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("content", ["", "latest", "7.x", "7.7.1\n8.0.0\n"])
def test_bazelversion_is_one_version(machine: Machine, content: str) -> None:
    """Anything else would fit anything."""
    (machine.root / ".bazelversion").write_text(content)

    done = machine.run("info")

    assert done.returncode == 36
    assert done.stderr.startswith("bazelw: .bazelversion must hold a version such as")


def test_bazelversion_is_missing(machine: Machine) -> None:
    """A torn checkout is named as such."""
    (machine.root / ".bazelversion").unlink()

    done = machine.run("info")

    assert done.returncode == 36
    assert ".bazelversion: No such file or directory." in done.stderr


def test_cache_follows_xdg(machine: Machine) -> None:
    """Without KERNEL_CACHE it is in the user's cache folder."""
    machine.add_bazel()
    del machine.environ["KERNEL_CACHE"]
    machine.run("info", XDG_CACHE_HOME=str(machine.home / "xdg"))
    machine.run("info", XDG_CACHE_HOME="relative")

    assert (machine.home / "xdg/creativeflow-kernel/said").exists()
    assert (machine.home / "nobody/.cache/creativeflow-kernel/said").exists()
