"""The distribution's packages in a private folder, from a mirror to a running Bazel."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tools.bazelw.tests.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that knows no way but its distribution's packages."""
    machine = Machine(tmp_path)
    machine.environ["KERNEL_BAZEL_WAY"] = "distribution"
    return machine


def prefix_of(machine: Machine) -> Path:
    """The one prefix on *machine*."""
    (prefix,) = (path for path in machine.cache.glob("bazel/*") if path.is_dir())
    return prefix


def installs(machine: Machine) -> int:
    """How often packages were fetched."""
    return sum(" install " in call for call in machine.called("apt-get"))


def wait_for(path: Path) -> None:
    """Return once *path* exists."""
    while not path.exists():
        time.sleep(0.01)


def test_prefix_is_made_once(machine: Machine) -> None:
    """Progress is told as lines in a log; the next run starts nothing but Bazel."""
    machine.add_distribution(testing="7.7.1+ds-8+b1")

    done = machine.run("info")
    calls = machine.called("apt-get")
    again = machine.run("info")
    place = prefix_of(machine)

    assert done.stderr.splitlines() == [
        "bazelw: preparing Bazel 7.7.1 from the distribution's packages",
        "bazelw: looking for a suite that carries it ...",
        "bazelw: fetching packages of testing ...",
        "bazelw: unpacking 2 packages ...",
        "bazelw: pointing programs at their libraries ...",
        f"bazelw: Bazel 7.7.1 from the distribution's packages, in {place}",
    ]
    assert (again.returncode, again.stderr) == (0, "")
    assert machine.called("apt-get") == calls
    assert machine.leftovers() == []


def test_bazel_gets_what_its_place_asks_for(machine: Machine) -> None:
    """Its server, Java and rules, WORKSPACE mode, the machine's certificates."""
    machine.add_distribution(testing="7.7.1")
    bundle = machine.home / "ca.pem"
    bundle.write_text("")
    machine.run("info", "release", SSL_CERT_FILE=str(bundle))
    prefix = prefix_of(machine)
    options = machine.bazel_arguments
    rules = prefix / "usr/share/bazel/rules/python"

    assert options[:2] == ["--nosystem_rc", f"--bazelrc={prefix}/bazelrc"]
    assert options[3:] == ["info", "release"]
    for line in [
        f'startup "--install_base={prefix}/usr/share/bazel"',
        f'startup "--server_javabase={prefix}/usr/lib/jvm/java-25-openjdk-amd64"',
        "common --config=workspace",
        "common:workspace --noenable_bzlmod",
        f'common "--override_repository=rules_python={rules}"',
        f'build:hermetic "--sandbox_add_mount_pair={prefix}"',
        "common --repo_env=REQUESTS_CA_BUNDLE=" + str(bundle),
    ]:
        assert line in machine.rc.splitlines()
    assert "-Djavax.net.ssl.trustStore=" in machine.rc
    assert "rules_java" not in machine.rc  # the packages hold none


def test_modules_are_listed_for_bzlmod(machine: Machine) -> None:
    """`tools/checks` runs MODULE.bazel with them."""
    machine.add_distribution(testing="7.7.1")
    machine.run("info")
    place = prefix_of(machine)
    shipped = place / "usr/share/bazel"

    assert (place / "bzlmod.bazelrc").read_text().splitlines()[1:] == [
        f'common "--override_module=bazel_skylib={shipped}/tools/skylib"',
        f'common "--override_module=rules_python={shipped}/rules/python"',
    ]


def test_startup_options_do_not_hang_on_the_command(machine: Machine) -> None:
    """Another one would restart the server, and lose its state."""
    machine.add_distribution(testing="7.7.1")
    seen = set()
    for words in (["info"], ["build", "//..."], ["shutdown"], ["--version"], []):
        machine.run(*words)
        seen.add("".join(machine.rc.split("common")[0]))

    assert len(seen) == 1


@pytest.mark.parametrize(
    ("suites", "taken"),
    [
        ({"testing": "7.7.1", "unstable": "7.8.0"}, "testing"),
        ({"forky": "7.7.1"}, "forky"),
        ({"testing": "4.2.3+ds-9", "unstable": "7.9.0+ds-1"}, "unstable"),
        ({"testing": "8.1.0", "sid": "1:7.7.1-1"}, "sid"),
        ({"testing": "", "devel": "7.7.1"}, "devel"),
        ({"stable": "7.7.1"}, "stable"),
    ],
)
def test_suite_is_the_first_that_carries_it(
    machine: Machine, suites: dict[str, str], taken: str
) -> None:
    """Suites move on, and mirrors offer them by alias, code name or both."""
    machine.add_distribution(**suites)

    assert f"fetching packages of {taken} ..." in machine.run("info").stderr


def test_own_suite_comes_first_when_it_is_known_to_carry_it(machine: Machine) -> None:
    """The machine's own package lists tell, without a network."""
    machine.add_distribution(testing="7.7.1", stable="7.7.1")
    (machine.home / "offered").mkdir()
    (machine.home / "offered/stable").write_text("7.7.1+ds-8")

    assert "fetching packages of stable ..." in machine.run("info").stderr


def test_own_suite_is_left_out_when_it_is_known_not_to(machine: Machine) -> None:
    """Fetching its lists would only take time."""
    machine.add_distribution(stable="4.2.3+ds-9")
    (machine.home / "offered").mkdir()
    (machine.home / "offered/stable").write_text("4.2.3+ds-9")

    assert "  stable: " not in machine.run("info").stderr


def test_no_suite_carries_it(machine: Machine) -> None:
    """Each suite is named with what it carries or why it can't be read."""
    machine.add_distribution(testing="4.2.3+ds-9", sid="8.1.0-1", stable="")

    done = machine.run("info")

    assert done.returncode == 36
    assert done.stderr.splitlines()[3:-2] == [
        "    distribution: found no suite with a Bazel 7 that fits:",
        "      testing: carries Bazel 4.2.3+ds-9",
        "      unstable: E: The repository 'unstable' does not have a Release file.",
        "      sid: carries Bazel 8.1.0-1",
        "      devel: E: The repository 'devel' does not have a Release file.",
        "      stable: carries Bazel not at all",
    ]
    assert machine.leftovers() == []


def test_no_network(machine: Machine) -> None:
    """A mirror that can't be reached is not asked for one suite after another."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / "no_network").touch()

    done = machine.run("info")

    assert done.returncode == 36
    assert done.stderr.count("Temporary failure resolving") == 1
    assert len(machine.called("apt-get")) == 1
    assert machine.leftovers() == []


def test_no_mirror(machine: Machine) -> None:
    """A source of somebody's add-ons is no mirror of the distribution."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / "sources.list").write_text("deb http://x.invalid addons main\n")

    assert "apt's sources name no mirror" in machine.run("info").stderr


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "apt_fails",
            "packages could not be fetched: E: Unable to fetch some archives",
        ),
        (
            "dpkg_fails",
            "could not be unpacked: dpkg-deb: error: no space left on device",
        ),
    ],
)
def test_failure_leaves_nothing_and_a_retry_works(
    machine: Machine, fault: str, message: str
) -> None:
    """Nothing half-made is ever taken for whole."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / fault).touch()
    failed = machine.run("info")
    left = machine.leftovers()
    (machine.home / fault).unlink()

    assert failed.returncode == 36
    assert message in failed.stderr
    assert left == []
    assert machine.run("info").returncode == 0


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("usr/bin/bazel", "the unpacked Bazel does not run: "),
        ("usr/lib/jvm", "the packages hold no Java"),
        ("usr/lib/x86_64-linux-gnu", "the packages hold no dynamic loader"),
    ],
)
def test_packages_of_another_shape(machine: Machine, lost: str, message: str) -> None:
    """A distribution may move things; it is told, and nothing is kept."""
    machine.add_distribution(testing="7.7.1")
    path = machine.home / "tree" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    done = machine.run("info")

    assert done.returncode == 36
    assert message in done.stderr
    assert machine.leftovers() == []


def test_two_runs_at_once_make_one_prefix(machine: Machine) -> None:
    """The second says that it waits, and uses what the first has made."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / "hold").touch()
    first = machine.start("info")
    wait_for(machine.home / "held")
    second = machine.start("info")
    line = second.stderr.readline() if second.stderr else ""
    (machine.home / "hold").unlink()
    first.communicate()
    second.communicate()

    assert line == "bazelw: another bazelw is preparing Bazel 7.7.1; waiting for it.\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert installs(machine) == 1
    assert machine.leftovers() == []


def test_killed_half_way(machine: Machine) -> None:
    """What its children still do is waited for, then all is made anew."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / "hold").touch()
    killed = machine.start("info")
    wait_for(machine.home / "held")
    killed.kill()
    killed.communicate()
    left = machine.leftovers()
    second = machine.start("info")
    line = second.stderr.readline() if second.stderr else ""
    (machine.home / "hold").unlink()
    second.communicate()

    assert left
    assert "waiting for it" in line
    assert second.returncode == 0
    assert installs(machine) == 2
    assert machine.leftovers() == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_stopped_half_way(machine: Machine, number: signal.Signals, code: int) -> None:
    """Nothing is left, neither files nor programs, and no traceback is shown."""
    machine.add_distribution(testing="7.7.1")
    (machine.home / "hold").touch()
    run = machine.start("info")
    wait_for(machine.home / "held")
    run.send_signal(number)
    _, errors = run.communicate()
    (machine.home / "held").unlink()
    time.sleep(0.1)

    assert run.returncode == code
    assert "Traceback" not in errors
    assert machine.leftovers() == []
    assert not (machine.home / "held").exists()


def test_moved_cache_is_made_anew(machine: Machine) -> None:
    """Paths into the prefix are baked into its programs."""
    machine.add_distribution(testing="7.7.1")
    machine.run("info")
    moved = machine.home / "moved"
    os.rename(machine.cache, moved)

    done = machine.run("info", KERNEL_CACHE=str(moved))

    assert done.returncode == 0
    assert installs(machine) == 2


def test_cache_at_a_place_that_no_library_path_can_name(machine: Machine) -> None:
    """It would fail in a far less obvious way."""
    machine.add_distribution(testing="7.7.1")

    done = machine.run("info", KERNEL_CACHE=str(machine.home / "a:b"))

    assert done.returncode == 36
    assert "a library path can't hold ':' or '$'" in done.stderr
