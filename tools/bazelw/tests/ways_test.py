"""Which Bazel is taken, and what is told when there is none."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
from pathlib import Path

import pytest

from tools.bazelw import bazelisk, installed
from tools.bazelw.console import Console, Trouble
from tools.bazelw.settings import Settings
from tools.bazelw.tests.machine import Machine
from tools.bazelw.versions import Version


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without Bazel."""
    return Machine(tmp_path)


def settings_of(machine: Machine) -> Settings:
    """The settings of a run on *machine*, to call a function of it."""
    return Settings(
        root=machine.root,
        python=Path(sys.executable),
        interpreter=Path(sys.executable),
        cache=machine.cache,
        way=None,
        verbose=False,
        wanted=Version(7, 7, 1),
        environ=machine.environ,
    )


@pytest.mark.parametrize("version", ["7.7.1", "7.7.1- (@non-git)", "7.8.0", "9.0.2"])
def test_fitting_bazel_is_taken(machine: Machine, version: str) -> None:
    """MODULE.bazel is for 7.7 to 9."""
    machine.add_bazel(version)

    done = machine.run("info", KERNEL_BAZEL_WAY="installed")

    assert done.returncode == 0


@pytest.mark.parametrize(
    "version",
    ["4.2.3", "7.7.0", "10.0.0", "9.0.0rc1", "8.0.0-pre.20240911.1", "no_version"],
)
def test_other_bazel_is_not(machine: Machine, version: str) -> None:
    """It is told with its version and the versions that would do."""
    machine.add_bazel(version)

    done = machine.run("info", KERNEL_BAZEL_WAY="installed")

    assert done.returncode == 36
    assert f"installed: {machine.bin}/bazel is bazel {version}; " in done.stderr
    assert "this repository needs 7.7.1 or newer, below 10" in done.stderr


def test_wrong_bazel_is_passed_over_for_a_later_one_on_path(machine: Machine) -> None:
    """And told, as the user may wonder."""
    machine.add_bazel("4.2.3")
    right = machine.add_bazel(path=machine.home / "later/bazel")

    done = machine.run("info", PATH=f"{machine.environ['PATH']}:{right.parent}")

    assert done.returncode == 0
    assert f"as installed: {right}\n" in done.stderr
    assert f"passed over: {machine.bin}/bazel is bazel 4.2.3" in done.stderr


def test_wanted_version_by_bazelisk_beats_a_newer_bazel(machine: Machine) -> None:
    """The version in .bazelversion is the one that was tested."""
    machine.add_bazel("8.4.2")
    machine.add_bazel(path=machine.bin / "bazelisk")

    done = machine.run("info")

    assert f"as installed: {machine.bin}/bazelisk" in done.stderr


def test_bazelisk_is_told_the_version(machine: Machine) -> None:
    """Started in another workspace it would take that one's, or the latest."""
    machine.add_bazel(path=machine.bin / "bazelisk")

    machine.run("info", cwd=machine.home)

    assert (machine.calls / "use_bazel_version").read_text() == "7.7.1"


def test_users_choice_of_version_wins(machine: Machine) -> None:
    """USE_BAZEL_VERSION is how people try the next release."""
    machine.add_bazel(path=machine.bin / "bazelisk")

    machine.run("info", USE_BAZEL_VERSION="9.1.0")

    assert (machine.calls / "use_bazel_version").read_text() == "9.1.0"


def test_bazel_that_is_bazelw_is_not_asked(machine: Machine) -> None:
    """A link named `bazel` must not call itself forever."""
    (machine.bin / "bazel").symlink_to(machine.root / "bazelw")

    done = machine.run("info", KERNEL_BAZEL_WAY="installed")

    assert "installed: no bazel or bazelisk on PATH" in done.stderr


def test_bazel_that_calls_bazelw_is_passed_over(machine: Machine) -> None:
    """Nor must a script that does."""
    script = f"#!/bin/sh\nexec '{machine.root}/bazelw' \"$@\"\n"
    machine.write_program(machine.bin / "bazel", script)

    done = machine.run("info", KERNEL_BAZEL_WAY="installed")

    assert done.returncode == 36
    assert "bazel does not work: bazelw: called by itself" in done.stderr


def test_bazel_of_the_distribution_is_passed_over(machine: Machine) -> None:
    """It has rules and Java in places that only its own packages fill."""
    bazel = machine.add_bazel(path=machine.home / "usr/bin/bazel")
    key = machine.home / "usr/share/bazel/install_base_key"
    key.parent.mkdir(parents=True)
    key.touch()

    done = machine.run("info", PATH=f"{machine.environ['PATH']}:{bazel.parent}")

    assert done.returncode == 36
    assert f"installed: {bazel} is the distribution's" in done.stderr


def test_relative_folders_on_path_do_not_count(machine: Machine) -> None:
    """What `bazel` is must not hang on where the user stands."""
    machine.add_bazel(path=machine.root / "bazel")

    done = machine.run(
        "info", KERNEL_BAZEL_WAY="installed", PATH=f".:{machine.environ['PATH']}"
    )

    assert "no bazel or bazelisk on PATH" in done.stderr


def test_installed_comes_first(machine: Machine) -> None:
    """Nothing is fetched when a Bazel is there."""
    machine.add_bazel()
    machine.add_npm()
    machine.add_distribution(testing="7.7.1")

    done = machine.run("info")

    assert "as installed" in done.stderr
    assert machine.called("npm") == machine.called("apt-get") == []


def test_bazelisk_comes_second(machine: Machine) -> None:
    """It is fetched once, from npm, by the hash in package-lock.json."""
    machine.add_npm()
    machine.add_distribution(testing="7.7.1")

    done = machine.run("info")
    again = machine.run("info")

    assert "Bazel 7.7.1 by bazelisk from the npm registry" in done.stderr
    assert (done.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert [call.split()[0] for call in machine.called("npm")] == ["ci"]
    assert machine.called("apt-get") == []
    assert machine.leftovers() == []


def test_distribution_comes_third(machine: Machine) -> None:
    """And the way stays: what failed is not tried again at every run."""
    (machine.home / "npm_fails").touch()
    machine.add_npm()
    machine.add_distribution(testing="7.7.1+ds-8+b1")

    done = machine.run("info")
    again = machine.run("info")

    assert done.returncode == 0
    assert "npm could not fetch it: npm error network request failed" in done.stderr
    assert "Bazel 7.7.1 from the distribution's packages, in " in done.stderr
    assert (again.returncode, again.stderr) == (0, "")
    assert len(machine.called("npm")) == 1
    assert machine.leftovers() == []


def test_bazelisk_that_can_not_download(machine: Machine) -> None:
    """Its own last words are the reason."""
    machine.add_npm()
    message = "could not download Bazel: no such host"
    machine.write_program(
        machine.home / "bazelisk", f"#!/bin/sh\necho {message}; exit 1"
    )

    done = machine.run("info", KERNEL_BAZEL_WAY="bazelisk")

    assert done.returncode == 36
    assert f"bazelisk: its program does not work: {message}" in done.stderr


def test_package_without_a_program_for_this_machine(machine: Machine) -> None:
    """The npm package has one for some machines."""
    machine.add_npm()
    npm = machine.bin / "npm"
    npm.write_text(npm.read_text().replace('("linux", "darwin")', '("plan9",)'))

    done = machine.run("info", KERNEL_BAZEL_WAY="bazelisk")

    assert done.returncode == 36
    assert "bazelisk: the npm package holds no bazelisk-" in done.stderr
    assert machine.leftovers() == []


def test_machine_that_bazelisk_does_not_know(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before npm is asked."""
    machine.add_npm()
    monkeypatch.setattr(platform, "machine", lambda: "s390x")

    with pytest.raises(
        Trouble, match=r"^the npm package has no program for .* on s390x"
    ):
        bazelisk.fetch(settings_of(machine), Console())
    assert machine.called("npm") == []


def test_no_way_works(machine: Machine) -> None:
    """What was tried, why it failed, what to install. Nothing is left behind."""
    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert done.stdout == ""
    assert done.stderr == (
        "bazelw: no Bazel by bazelisk: npm is not on PATH\n"
        "bazelw: there is no Bazel 7.7.1 to be had. Tried:\n"
        "    installed: no bazel or bazelisk on PATH\n"
        "    bazelisk: npm is not on PATH\n"
        "    distribution: this is for Debian and its kin "
        "(apt-get and dpkg-deb not on PATH)\n"
        "    Install bazelisk, or Bazel 7.7.1 or newer, below 10, or make\n"
        "    one of these ways work: tools/bazelw/README.md says what each needs.\n"
    )
    assert not machine.cache.exists()


def test_only_the_chosen_way_is_tried(machine: Machine) -> None:
    """KERNEL_BAZEL_WAY=distribution on a machine with a Bazel of its own."""
    machine.add_bazel()
    machine.add_npm()
    machine.add_distribution(testing="7.7.1")

    done = machine.run("info", KERNEL_BAZEL_WAY="distribution")

    assert "from the distribution's packages" in done.stderr
    assert machine.called("npm") == []


def test_slow_refusal_is_remembered(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offline bazelisk costs its half minute once, not at every run."""
    monkeypatch.setattr(installed, "_SLOW_SECONDS", 0)
    script = f"#!/bin/sh\necho x >> '{machine.calls}/asked'; echo offline; exit 1"
    bazelisk = machine.write_program(machine.bin / "bazelisk", script)
    settings = settings_of(machine)

    answers = [installed.probe(bazelisk, settings, Console()) for _ in range(3)]
    insisting = settings._replace(way="installed")
    installed.probe(bazelisk, insisting, Console())

    assert [answer.reason for answer in answers] == ["does not work: offline"] * 3
    assert machine.called("asked") == ["x", "x"]


def test_memory_of_a_refusal_fades(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks come back; and when nothing works at all, everything is asked again."""
    monkeypatch.setattr(installed, "_SLOW_SECONDS", 0)
    script = f"#!/bin/sh\necho x >> '{machine.calls}/asked'; exit 1"
    bazelisk = machine.write_program(machine.bin / "bazelisk", script)
    settings = settings_of(machine)

    installed.probe(bazelisk, settings, Console())
    (memory,) = machine.cache.glob("refused/*")
    os.utime(memory, (0, 0))
    installed.probe(bazelisk, settings, Console())
    installed.forget(settings)
    installed.probe(bazelisk, settings, Console())

    assert machine.called("asked") == ["x", "x", "x"]


def test_unreachable_download_is_given_up_at_once(machine: Machine) -> None:
    """By itself bazelisk would retry for half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    script = f"#!/bin/sh\necho Downloading http://127.0.0.1:{port}/bazel...; sleep 60"
    bazelisk = machine.write_program(machine.bin / "bazelisk", script)

    found = installed.probe(bazelisk, settings_of(machine), Console())

    assert (
        found.reason == "does not work: 127.0.0.1 can't be reached (Connection refused)"
    )


def test_download_that_stands_still_is_given_up(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection alone brings no Bazel."""
    monkeypatch.setattr(installed, "_STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"#!/bin/sh\necho Downloading http://127.0.0.1:{port}/b; sleep 60"
        bazelisk = machine.write_program(machine.bin / "bazelisk", script)

        found = installed.probe(bazelisk, settings_of(machine), Console())

    assert found.reason == "does not work: nothing arrived for 0.2 s"


def test_download_that_moves_may_take_its_time(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is that bytes arrive, not how long it takes."""
    monkeypatch.setattr(installed, "_STALL_SECONDS", 0.5)
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")  # can't be looked behind
    folder = machine.home / "downloads"
    folder.mkdir()
    machine.environ["BAZELISK_HOME"] = str(folder)
    step = f"echo more >> '{folder}/part'; sleep 0.2; "
    script = "#!/bin/sh\necho Downloading https://host.invalid/b; " + step * 5
    bazelisk = machine.write_program(
        machine.bin / "bazelisk", script + "echo bazel 7.7.1"
    )
    started = time.monotonic()

    found = installed.probe(bazelisk, settings_of(machine), Console())

    assert found.version == Version(7, 7, 1)
    assert time.monotonic() - started > installed._STALL_SECONDS
