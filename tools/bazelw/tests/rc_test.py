"""The rc file of the machine."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bazelw import rc, truststore
from tools.bazelw.settings import Settings
from tools.bazelw.versions import Version


def settings_in(cache: Path) -> Settings:
    """A run with this cache."""
    return Settings(
        root=cache,
        python=Path("/usr/bin/python3"),
        interpreter=Path("/usr/bin/python3"),
        cache=cache,
        way=None,
        verbose=False,
        wanted=Version(7, 7, 1),
        environ={},
    )


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["C"])))
def test_option_stays_one_word(option: str) -> None:
    """Bazel splits an rc line like a shell, without its variables."""
    text = rc.render([("common", f"--distdir={option}")])

    lines = text.removesuffix("\n").split("\n")
    assert shlex.split(lines[1], comments=True) == ["common", f"--distdir={option}"]


def test_same_machine_same_file(tmp_path: Path) -> None:
    """Its name is made of its content: no run changes the file of another."""
    first = rc.machine(settings_in(tmp_path))
    written = first.stat().st_mtime_ns

    assert rc.machine(settings_in(tmp_path)) == first
    assert first.stat().st_mtime_ns == written
    assert rc.machine(settings_in(tmp_path), prefix=tmp_path) != first


def test_only_the_distributions_bazel_has_startup_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Bazel brings its Java along."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setattr(truststore, "_BUNDLES", (str(bundle),))
    plain = rc.machine(settings_in(tmp_path)).read_text()
    prefixed = rc.machine(settings_in(tmp_path), prefix=tmp_path).read_text()
    (store,) = tmp_path.glob("truststore/*.jks")

    assert "startup" not in plain
    assert f"startup --host_jvm_args=-Djavax.net.ssl.trustStore={store}\n" in prefixed


def mounts(settings: Settings, prefix: Path | None = None) -> list[str]:
    """What the hermetic sandbox sees."""
    lines = rc.machine(settings, prefix=prefix).read_text().splitlines()
    option = "build:hermetic --sandbox_add_mount_pair="
    return [line.removeprefix(option) for line in lines if line.startswith(option)]


def test_hermetic_sandbox_sees_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing twice: a mount inside of a mounted folder would fail."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    inside = tmp_path / "bin"
    inside.mkdir()
    settings = settings_in(tmp_path)._replace(interpreter=inside / "python3")
    system = [name for name in rc._SYSTEM if os.path.exists(name)]

    assert mounts(settings) == [*system, str(tmp_path)]
    assert mounts(settings, prefix=inside) == [*system, str(tmp_path)]

    monkeypatch.setattr(sys, "base_prefix", "/usr")

    assert mounts(settings_in(tmp_path), prefix=tmp_path) == [*system, str(tmp_path)]


def test_other_systems_have_no_linux_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bazel for macOS has the options, but not the folders."""
    monkeypatch.setattr(sys, "platform", "darwin")

    assert "--sandbox" not in rc.machine(settings_in(tmp_path)).read_text()


def test_machine_without_a_c_compiler(tmp_path: Path) -> None:
    """Nothing here is compiled, but Bazel would refuse to analyse a py_test."""
    gcc = tmp_path / "gcc"
    bare = settings_in(tmp_path)._replace(environ={"PATH": str(tmp_path)})
    named = bare._replace(environ=dict(bare.environ, CC="clang"))
    line = "common --repo_env=CC=/bin/true\n"

    assert line in rc.machine(bare).read_text()
    assert line not in rc.machine(named).read_text()

    gcc.touch()
    gcc.chmod(0o755)

    assert line not in rc.machine(bare).read_text()


class Disk:
    """What os.statvfs tells of a file system with blocks of 1 MiB."""

    f_frsize = 1 << 20

    def __init__(self, size: int, free: int, flag: int = 0) -> None:
        self.f_blocks = size
        self.f_bavail = free
        self.f_flag = flag


@pytest.mark.parametrize(
    ("disk", "used"),
    [
        (Disk(size=24_000, free=23_000), True),
        (Disk(size=64, free=64), False),
        (Disk(size=24_000, free=500), False),
        (Disk(size=24_000, free=23_000, flag=os.ST_NOEXEC), False),
    ],
)
def test_sandboxes_are_in_memory_where_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, used: bool
) -> None:
    """A container's usual 64 MB would end in "no space left"."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(rc, "_MEMORY", tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)

    text = rc.machine(settings_in(tmp_path / "cache")).read_text()

    assert (f"common --sandbox_base={tmp_path}\n" in text) is used


def test_no_memory_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then sandboxes are on disk."""
    monkeypatch.setattr(rc, "_MEMORY", tmp_path / "none")

    assert "sandbox_base" not in rc.machine(settings_in(tmp_path)).read_text()
