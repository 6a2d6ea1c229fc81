from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.checks import bzlmod
from tools.checks.bzlmod import Extension, Module

MODULE = """\
module(name = "{name}", version = "1.2.3", compatibility_level = 1)
bazel_dep(name = "known", version = "1")
bazel_dep(name = "absent", version = "2", repo_name = "com_absent")
bazel_dep(name = "for_developers", version = "3", dev_dependency = True)
own = use_extension("//python/private:own.bzl", "own")
use_repo(own, "a")
tools = use_extension("@absent//deep/er:ext.bzl", "tools")
use_repo(tools, "b", renamed = "c")
use_repo(tools, "d")
plain = use_extension("@absent//:top.bzl", "plain")
register_toolchains("@b//:all")
[tools.tag(x = n) for n in ["1"]]
"""


def write(folder: Path, text: str) -> Path:
    """Write a MODULE.bazel."""
    folder.mkdir(parents=True)
    (folder / "MODULE.bazel").write_text(text)
    return folder


def test_a_module_file_is_read(tmp_path: Path) -> None:
    """Deps that others see, and extensions with the repositories used of each."""
    folder = write(tmp_path / "m", MODULE.format(name="m"))

    assert bzlmod.read_module(folder / "MODULE.bazel") == Module(
        name="m",
        version="1.2.3",
        needs=["known", "absent"],
        extensions=[
            Extension("m", "python/private/own.bzl", "own", ["a"]),
            Extension("absent", "deep/er/ext.bzl", "tools", ["b", "c", "d"]),
            Extension("absent", "top.bzl", "plain", []),
        ],
    )


def test_the_graph_is_walked_to_its_end(tmp_path: Path) -> None:
    """Found modules are followed; missing ones keep the extensions they must define."""
    root = write(tmp_path / "root", MODULE.format(name="root"))
    write(tmp_path / "lib/rules/known", 'bazel_dep(name = "further")\n')
    known = write(
        tmp_path / "lib/known",
        'module(name = "known")\nbazel_dep(name = "further", version = "1")\n',
    )
    further = write(
        tmp_path / "lib/rules/further",
        'module(name = "further")\nbazel_dep(name = "known", version = "0")\n',
    )
    write(tmp_path / "lib/unused", 'module(name = "unused")\n')
    write(tmp_path / "lib/much/too/deep", 'module(name = "absent")\n')
    found = bzlmod.find_modules(tmp_path / "lib")

    here, missing, extensions = bzlmod.resolve([root / "MODULE.bazel"], found)

    assert here == {"known": known, "further": further}
    assert missing == ["absent"]
    assert [e.name for e in extensions] == ["tools", "plain"]


def test_an_empty_module_has_the_extensions_that_are_used(tmp_path: Path) -> None:
    """Each is a file where the label says, in a package."""
    bzlmod.write_empty(
        tmp_path / "absent",
        "absent",
        [Extension("absent", "deep/er/ext.bzl", "tools", ["b", "c"])],
    )
    extension = (tmp_path / "absent/deep/er/ext.bzl").read_text()

    assert (tmp_path / "absent/MODULE.bazel").read_text() == 'module(name = "absent")\n'
    assert (tmp_path / "absent/BUILD.bazel").exists()
    assert (tmp_path / "absent/deep/er/BUILD.bazel").exists()
    assert 'for name in ["b", "c"]:' in extension
    assert "tools = module_extension(" in extension


@dataclass(frozen=True)
class Machine:
    """A repository, a checkout of rules_python, and a stand-in for Bazel."""

    folder: Path

    def run(self, *arguments: str, fails: int = 0, asks_bazel: bool = False) -> int:
        """Run the program; its Bazel logs its arguments and exits with *fails*."""
        script = self.folder / "bazel.py"
        log = self.folder / "log"
        script.write_text(
            "import sys\n"
            f"log = open({str(log)!r}, 'a')\n"
            "print(*sys.argv[1:], sep='\\n', end='\\n\\n', file=log)\n"
            f"print({str(self.folder / 'lib')!r})\n"  # what `info` would say
            f"sys.exit({fails})\n"
        )
        options = [
            f"--rules-python={self.folder}/rules",
            f"--repository={self.folder}/root",
            f"--bazel={sys.executable} {script} --startup",
        ]
        if not asks_bazel:
            options.append(f"--modules={self.folder}/lib")
        return bzlmod.main([*options, *arguments])

    @property
    def runs(self) -> list[list[str]]:
        """The arguments of each time Bazel was started."""
        log = (self.folder / "log").read_text()
        return [run.split("\n") for run in log.split("\n\n")[:-1]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one module that is known."""
    write(
        tmp_path / "root", 'module(name = "root")\nbazel_dep(name = "rules_python")\n'
    )
    write(tmp_path / "rules", MODULE.format(name="rules_python"))
    write(tmp_path / "lib/known", 'module(name = "known", version = "7")\n')
    write(tmp_path / "lib/embedded_tools", 'module(name = "bazel_tools")\n')
    return Machine(tmp_path)


def test_both_commands_run_with_every_module_in_place(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Build, then test, with an override for each module and no other registry."""
    code = machine.run("--target=//x", "--", "--config=y")
    build, test = machine.runs

    assert code == 0
    assert build[:3] == ["--startup", "build", "--enable_bzlmod"]
    assert test[:3] == ["--startup", "test", "--enable_bzlmod"]
    assert build[2:] == test[2:]
    assert build[-2:] == ["--config=y", "//x"]
    assert f"--override_module=rules_python={machine.folder}/rules" in build
    assert f"--override_module=known={machine.folder}/lib/known" in build
    assert [a for a in build if a.startswith("--override_module=absent=")]
    assert [a for a in build if a.startswith("--registry=file://")]
    assert "known 7, rules_python 1.2.3" in capsys.readouterr().out


def test_the_other_modules_are_where_bazel_is_installed(machine: Machine) -> None:
    """A distribution's Bazel comes with them, and says where it is."""
    code = machine.run(asks_bazel=True)
    told, build, _ = machine.runs

    assert code == 0
    assert told[1:] == ["info", "install_base"]
    assert f"--override_module=known={machine.folder}/lib/known" in build


def test_a_failure_stops_and_is_passed_on(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is Bazel's, and `test` does not run after a failed `build`."""
    assert machine.run(fails=3) == 3
    assert len(machine.runs) == 1
    assert "bazel build failed with exit code 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--rules-python=nowhere", "nowhere holds no MODULE.bazel"),
        ("--repository=nowhere", "nowhere holds no MODULE.bazel"),
        ("--modules=nowhere", "nowhere is not a folder"),
    ],
)
def test_wrong_folders_are_one_clear_line(
    arguments: str,
    message: str,
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit, match="2"):
        machine.run(arguments)

    assert capsys.readouterr().err.splitlines()[-1].endswith(message)
    assert not (machine.folder / "log").exists()
