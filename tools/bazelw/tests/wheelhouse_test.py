"""Third-party wheels: fetched once, then never."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tools.bazelw.tests.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with Bazel, and a lock with three entries."""
    machine = Machine(tmp_path)
    machine.add_bazel()
    machine.lock("alpha==1.0", "beta==2.0", "gamma==3.0")
    return machine


def downloads(machine: Machine) -> list[str]:
    """The calls of `pip download`."""
    return [call for call in machine.called("pip") if call.startswith("download")]


ALL = ["alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl"]
ALL += ["gamma-3.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    "command", ["build", "test", "run", "query", "cquery", "fetch"]
)
def test_commands_that_load_packages_have_their_wheels(
    machine: Machine, command: str
) -> None:
    """Startup options before the command don't hide it."""
    done = machine.run("--output_base", "/some where", command, "//...")

    assert done.returncode == 0
    assert [name for name in machine.wheels if name.endswith(".whl")] == ALL
    assert "fetching 3 wheels of requirements_lock.txt, once" in done.stderr


@pytest.mark.parametrize(
    "words", [["--version"], ["help", "build"], ["info"], ["clean"], ["shutdown"], []]
)
def test_other_commands_fetch_nothing(machine: Machine, words: list[str]) -> None:
    """`clean` must not need a network."""
    machine.run(*words)

    assert machine.called("pip") == []


def test_bazel_takes_them_from_the_cache_and_asks_no_index(machine: Machine) -> None:
    """A space in the path is no separator to pip, nor to Bazel."""
    machine.run("build", "//...")

    assert f"PIP_FIND_LINKS=file://{machine.home}/ca%20che/wheels\n" in machine.rc
    assert f'common "--distdir={machine.cache}/wheels"\n' in machine.rc
    assert "common --repo_env=PIP_NO_INDEX=1\n" in machine.rc


def test_second_run_needs_no_network(machine: Machine) -> None:
    """Nor does another checkout with the same lock: not even pip is started."""
    machine.run("build", "//...")
    calls = machine.called("pip")
    shutil.rmtree(machine.home / "index")
    other = machine.home / "second clone"
    shutil.copytree(machine.root, other)
    machine.root = other

    assert machine.run("test", "//...").returncode == 0
    assert machine.called("pip") == calls


def test_pip_checks_hashes_and_builds_nothing(machine: Machine) -> None:
    """A source distribution would run code that no hash vouches for in detail."""
    machine.run("build", "//...")

    for call in downloads(machine):
        assert "--require-hashes" in call
        assert "--no-deps" in call
        assert "--only-binary=:all:" in call


def test_changed_lock_fetches_what_is_new(machine: Machine) -> None:
    """And comments, order or a removed entry fetch nothing."""
    machine.run("build", "//...")
    calls = len(downloads(machine))
    machine.lock("gamma==3.0", "alpha==1.0")
    machine.run("build", "//...")

    assert len(downloads(machine)) == calls

    machine.lock("gamma==3.0", "delta==4.0", "alpha==1.0")
    done = machine.run("build", "//...")

    assert "fetching 1 wheels of" in done.stderr
    assert "delta-4.0-py3-none-any.whl" in machine.wheels


def test_entry_of_another_platform_is_settled(machine: Machine) -> None:
    """The marker has pip skip it, and it isn't asked for again."""
    machine.lock("alpha==1.0", "winonly==1.0 ; sys_platform == 'never'")
    machine.run("build", "//...")
    calls = machine.called("pip")

    assert machine.run("build", "//...").returncode == 0
    assert machine.called("pip") == calls


@pytest.mark.parametrize("spoil", ["", "half"])
def test_lost_or_torn_wheel_is_fetched_again(machine: Machine, spoil: str) -> None:
    """A full disk or a tidy user may take one."""
    machine.run("build", "//...")
    wheel = machine.cache / "wheels" / ALL[0]
    whole = wheel.read_bytes()
    wheel.unlink()
    if spoil:
        wheel.write_text(spoil)

    done = machine.run("build", "//...")

    assert "fetching 1 wheels of" in done.stderr
    assert wheel.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "{"])
def test_spoilt_index_is_made_anew(machine: Machine, content: str) -> None:
    """It is a cache: never a reason to stop."""
    machine.run("build", "//...")
    (index,) = machine.cache.glob("wheels/index/*.json")
    whole = index.read_text()
    index.write_text(content)

    assert machine.run("build", "//...").returncode == 0
    assert index.read_text() == whole


def test_offline_with_nothing_cached(machine: Machine) -> None:
    """What is missing, what pip said, and what helps; then a retry just works."""
    index = machine.home / "index"
    index.rename(machine.home / "away")
    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert (
        "wheels of requirements_lock.txt are missing, and pip could not" in done.stderr
    )
    assert "  ERROR: No matching distribution found for " in done.stderr
    assert "pip config set global.index-url URL" in done.stderr
    assert "from bazel" not in done.stdout
    assert machine.leftovers() == []

    (machine.home / "away").rename(index)

    assert machine.run("build", "//...").returncode == 0


def test_what_arrived_before_a_failure_is_kept(machine: Machine) -> None:
    """A retry fetches the rest only."""
    names = [f"package{n}==1.0" for n in range(12)]
    machine.lock(*names)
    lost = machine.home / "index/package0-1.0-py3-none-any.whl"
    lost.rename(machine.home / "lost")
    failed = machine.run("build", "//...")
    kept = len(list(machine.cache.glob("wheels/*.whl")))
    (machine.home / "lost").rename(lost)
    done = machine.run("build", "//...")

    assert (failed.returncode, done.returncode) == (36, 0)
    assert f"fetching {12 - kept} wheels of" in done.stderr


def test_entry_without_hash(machine: Machine) -> None:
    """One line names file, line and entry; nothing is started."""
    lock = machine.root / "requirements_lock.txt"
    lock.write_text("# a\n\nalpha==1.0\nbeta==2.0 --hash=sha256:" + "0" * 64)

    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert done.stderr == (
        "bazelw: requirements_lock.txt:3: 'alpha==1.0' has no --hash=sha256:..., so "
        "nothing says which file it is. "
        "Restore the file, or write it anew: ./bazelw run //:lock\n"
    )
    assert machine.called("pip") == []
    assert not machine.cache.exists()


def test_pip_that_fetches_nothing_is_not_believed(machine: Machine) -> None:
    """Without a marker there is no reason for it."""
    machine.lock("never==1.0")

    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert "pip fetched nothing for 'never==1.0' of requirements_lock" in done.stderr


def test_users_folder_does_not_shadow_pip(machine: Machine) -> None:
    """With `-m pip` Python imports a logging.py of the folder it starts in."""
    (machine.home / "pip.py").write_text("raise SystemExit(1)")

    assert machine.run("build", "//...", cwd=machine.home).returncode == 0


def test_users_pip_settings_count(machine: Machine) -> None:
    """Except the one that forbids pip outside of an environment."""
    package = next(machine.home.glob("env/lib/*/site-packages/pip/__main__.py"))
    spy = (
        f"import os\nopen({str(machine.calls / 'env')!r}, 'w').write(str(os.environ))\n"
    )
    package.write_text(spy + package.read_text())

    machine.run(
        "build", PIP_INDEX_URL="https://mirror.invalid", PIP_REQUIRE_VIRTUALENV="1"
    )

    assert "'PIP_INDEX_URL': 'https://mirror.invalid'" in machine.called("env")[0]
    assert "'PIP_REQUIRE_VIRTUALENV': '0'" in machine.called("env")[0]


def test_wheels_of_the_packaged_rules_python(machine: Machine) -> None:
    """The distribution's rules_python would fetch them from the index by URL."""
    machine.add_distribution(testing="7.7.1")

    done = machine.run("build", KERNEL_BAZEL_WAY="distribution")

    assert "of requirements_lock.txt, rules_python, once" in done.stderr
    assert "installer-0.7.0-py3-none-any.whl" in machine.wheels


def test_parts_of_rules_python_are_replaced(machine: Machine) -> None:
    """Its own setuptools breaks on Python 3.12; in WORKSPACE mode this one counts."""
    machine.add_distribution(testing="7.7.1")
    bzl = "usr/share/bazel/rules/python/python/pip_install/repositories.bzl"
    with (machine.home / "tree" / bzl).open("a") as file:
        file.write(f'"https://x.invalid/setuptools-60.10.0-py3.whl", "{"0" * 64}"\n')
    sha256 = machine.publish("setuptools", "80.9.0")
    machine.parts.write_text(f"setuptools==80.9.0 --hash=sha256:{sha256}\n")

    done = machine.run("build", KERNEL_BAZEL_WAY="distribution")
    again = machine.run("build", KERNEL_BAZEL_WAY="distribution")
    (place,) = machine.cache.glob("rules_python/setuptools-*")

    assert (done.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert sorted(path.name for path in place.iterdir()) == [
        "BUILD.bazel",
        "WORKSPACE",
        "setuptools.py",
    ]
    option = f"--override_repository=pypi__setuptools={place}"
    assert f'common:workspace "{option}"' in machine.rc.splitlines()
    assert machine.leftovers() == []


def hide_pip(machine: Machine) -> None:
    """Leave the interpreter without pip."""
    shutil.rmtree(next(machine.home.glob("env/lib/*/site-packages/pip")))


def fake_module(machine: Machine, name: str, text: str) -> None:
    """Put a module before the interpreter's own."""
    (machine.home / "path").mkdir(exist_ok=True)
    (machine.home / f"path/{name}.py").write_text(text)
    machine.environ["PYTHONPATH"] = str(machine.home / "path")


def test_no_pip_at_all(machine: Machine) -> None:
    """What was tried and what to install."""
    hide_pip(machine)
    fake_module(machine, "venv", "raise SystemExit('ensurepip is not available')")

    done = machine.run("build", "//...")

    assert done.returncode == 36
    assert "has no pip to fetch wheels with:" in done.stderr
    assert "No module named pip" in done.stderr
    assert "ensurepip is not available" in done.stderr
    assert "apt-get install python3-pip" in done.stderr


def test_too_old_pip(machine: Machine) -> None:
    """It would not know the wheels of Python 3.11."""
    (machine.home / "pip_version").write_text("pip 20.3.4 from /usr")
    fake_module(machine, "venv", "raise SystemExit(1)")

    assert "pip 20.3 is too old" in machine.run("build", "//...").stderr


def test_pip_of_a_new_environment(machine: Machine) -> None:
    """Python brings one along, unless a distribution has cut it off."""
    pip = next(machine.home.glob("env/lib/*/site-packages/pip/__main__.py")).read_text()
    hide_pip(machine)
    text = f"import os, sys\nos.makedirs(sys.argv[1] + '/bin')\npip = {pip!r}\n"
    text += "path = sys.argv[1] + '/bin/python'\n"
    text += "head = f'#!{sys.executable}\\nimport sys\\nsys.argv[1:3] = []\\n'\n"
    text += "open(path, 'w').write(head + pip)\nos.chmod(path, 0o755)\n"
    fake_module(machine, "venv", text)

    assert machine.run("build", "//...").returncode == 0
    assert [name for name in machine.wheels if name.endswith(".whl")] == ALL


def test_pip_of_the_distribution(machine: Machine) -> None:
    """A bare Debian has Python without pip; the prefix holds a wheel of it."""
    machine.add_distribution(testing="7.7.1")
    package = next(machine.home.glob("env/lib/*/site-packages/pip"))
    packed = machine.home / "tree/usr/share/python-wheels/pip-26.0-py3-none-any.whl"
    shutil.copytree(package, packed / "pip")
    hide_pip(machine)

    done = machine.run("build", KERNEL_BAZEL_WAY="distribution")

    assert done.returncode == 0
    assert [name for name in machine.wheels if name.endswith(".whl")][:3] == ALL


def test_two_runs_at_once_fetch_once(machine: Machine) -> None:
    """The second waits, then finds everything there."""
    runs = [machine.start("build", "//...") for _ in range(2)]
    ended = [run.communicate() for run in runs]

    assert [run.returncode for run in runs] == [0, 0]
    assert [errors.count("fetching 3 wheels") for _, errors in ended].count(1) == 1
    (index,) = machine.cache.glob("wheels/index/*.json")
    assert len(json.loads(index.read_text())) == 3
    assert machine.leftovers() == []
