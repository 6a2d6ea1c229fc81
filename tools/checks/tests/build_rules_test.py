"""The build rules on a workspace made to break them.

It runs Bazel, so it runs outside the sandbox and not with the others:

    KERNEL_BAZEL=$PWD/bazelw ./bazelw test //tools/checks:tests/build_rules_test

KERNEL_BAZEL is the command, with startup options if it needs some.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

# What a workspace needs to build; the rest of the repository would need the whole lock.
COPIED = (
    "tools/bazel/",
    "tools/checks/",
    "tools/coverage/",
    "tools/lint/",
    "third_party/",
)

HEAD = """\
load("//tools/bazel:python.bzl", "kernel_library", "kernel_package", "kernel_test")
"""

CASES = {
    # Declared by nobody, and on most hosts.
    "undeclared_package/BUILD.bazel": """
kernel_library(
    name = "undeclared_package",
    srcs = ["m.py"],
)
""",
    "undeclared_package/m.py": "x = 1\n\nimport packaging\n",
    # In the same folder, and in nobody's srcs.
    "undeclared_sibling/BUILD.bazel": """
kernel_test(
    name = "m_test",
    srcs = ["m_test.py"],
)
""",
    "undeclared_sibling/m_test.py": "from cases.undeclared_sibling import helper\n",
    "undeclared_sibling/helper.py": "",
    "unused_dep/BUILD.bazel": """
kernel_library(
    name = "unused_dep",
    srcs = ["m.py"],
    deps = ["//third_party:packaging"],
)
""",
    "unused_dep/m.py": "import json\n",
    "no_test/BUILD.bazel": """
kernel_test(
    name = "m_test",
    size = "small",
    srcs = ["m_test.py"],
)
""",
    "no_test/m_test.py": "def helper() -> None: ...\n",
    # Names in strings, which the import check does not see.
    "hidden/BUILD.bazel": """
kernel_test(
    name = "m_test",
    size = "small",
    srcs = ["m_test.py"],
)
""",
    "hidden/sibling.py": "",
    "hidden/m_test.py": '''
import importlib.util
import os
import sys

import pytest


@pytest.mark.parametrize("name", os.environ["HOST_MODULES"].split(","))
def test_host(name: str) -> None:
    """What the host has installed is not here."""
    assert importlib.util.find_spec(name) is None


def test_path() -> None:
    """Nor is the folder that it would be in."""
    installed = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]

    assert [p for p in installed if "runfiles" not in p] == []


def test_sibling() -> None:
    """A file beside this one is not here unless it is declared."""
    with pytest.raises(ModuleNotFoundError, match="cases.hidden.sibling"):
        importlib.import_module("cases.hidden.sibling")
''',
    "network/BUILD.bazel": """
kernel_test(
    name = "offline_test",
    size = "small",
    srcs = ["offline_test.py"],
)

kernel_test(
    name = "online_test",
    size = "small",
    srcs = ["online_test.py"],
    tags = ["requires-network"],
)
""",
    "network/offline_test.py": '''
import os
import socket

import pytest


def test_unreachable() -> None:
    """A server on this very machine can't be reached."""
    port = int(os.environ["SERVER_PORT"])
    with pytest.raises(OSError, match="refused|unreachable"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_loopback() -> None:
    """One of our own can."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
''',
    "network/online_test.py": '''
import os
import socket


def test_reachable() -> None:
    """The tag opens the way."""
    port = int(os.environ["SERVER_PORT"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        assert client.recv(5) == b"hello"
''',
    "sharded/BUILD.bazel": """
kernel_test(
    name = "m_test",
    size = "small",
    srcs = ["m_test.py"],
    shard_count = 2,
)
""",
    "sharded/m_test.py": """
class TestGroup:
    def test_a(self) -> None: ...
    def test_b(self) -> None: ...


def test_a() -> None: ...
""",
}

# Asked for one by one: they break the loading of a package, or the whole of //:tree.
BROKEN = {
    "versions/BUILD.bazel": """
load("//tools/bazel:repositories.bzl", "check_bazel_version")

[
    check_bazel_version(version)
    for version in ["", "7.7.0", "7.7.1", "8.9.9", "{version}"]
]
""",
    "shared/errors/BUILD.bazel": f"""{HEAD}
kernel_library(
    name = "errors",
    srcs = ["__init__.py"],
    deps = ["//third_party:packaging"],
)

kernel_package()
""",
    "shared/errors/__init__.py": "from packaging import version\n",
}


@dataclass(frozen=True)
class Run:
    """One run of Bazel."""

    code: int
    output: str
    results: dict[str, str]  # by test label: PASSED, FAILED, ...
    logs: dict[str, str]  # by test label: what a failed test printed

    def has(self, *words: str) -> bool:
        """Whether one line of the output holds all the words."""
        return any(all(w in line for w in words) for line in self.output.splitlines())


@dataclass(frozen=True)
class Workspace:
    """A workspace with the repository's rules, and a Bazel of its own for it."""

    root: Path
    output: Path
    command: tuple[str, ...]

    def write(self, files: dict[str, str], folder: str = ".") -> None:
        """Write files, below a folder."""
        for name, text in files.items():
            path = self.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def bazel(self, *arguments: str) -> Run:
        """Run Bazel; its test results come from the build event protocol."""
        events = self.root / "events.json"
        events.unlink(missing_ok=True)
        command, *rest = arguments
        flags = [f"--build_event_json_file={events}", "--keep_going", "--curses=no"]
        done = subprocess.run(
            [
                *self.command,
                f"--output_base={self.output}",
                command,
                *(flags if command in ("build", "test") else []),
                *rest,
            ],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        results, logs = {}, {}
        lines = events.read_text().splitlines() if events.exists() else []
        for event in map(json.loads, lines):
            label = event["id"].get("testResult", {}).get("label")
            if "testResult" in event:
                results[label] = event["testResult"]["status"]
                for file in event["testResult"].get("testActionOutput", []):
                    if file["name"] == "test.log":
                        log = Path(file["uri"].removeprefix("file://"))
                        logs[label] = log.read_text(errors="replace")
        return Run(done.returncode, done.stdout, results, logs)

    def cases(self, label: str) -> list[list[str]]:
        """The passed cases of each XML report of a test, by shard."""
        package, _, name = label.removeprefix("//").partition(":")
        folder = self.root / "bazel-testlogs" / package / name
        return [
            [
                f"{case.get('classname')}.{case.get('name')}"
                for case in ET.parse(report).iter("testcase")  # noqa: S314, pytest's
            ]
            for report in sorted(folder.rglob("test.xml"))
        ]


def host_modules() -> list[str]:
    """Some packages that the interpreter of the host has installed."""
    script = (
        "import pkgutil, sysconfig;"
        "paths = {sysconfig.get_path(n) for n in ('purelib', 'platlib')};"
        "print(*(m.name for m in pkgutil.iter_modules(paths)))"
    )
    python = os.environ.get("KERNEL_PYTHON", "python3")
    found = subprocess.run(
        [python, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    ours = {"_pytest", "pytest", "pytest_asyncio", "pluggy", "iniconfig", "pygments"}
    ours |= {"packaging", "py", "typing_extensions"}
    return [*sorted(set(found.stdout.split()) - ours)[:40], "pip"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The workspace; its Bazel server is stopped and its output removed at the end."""
    command = shlex.split(os.environ.get("KERNEL_BAZEL", ""))
    if not command:
        pytest.fail("KERNEL_BAZEL must name the Bazel to test with, such as ./bazelw.")
    root = tmp_path_factory.mktemp("workspace")
    here = Path.cwd()
    for name in (here / "tools/checks/tree.txt").read_text().split():
        if "/" not in name or name.startswith(COPIED):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here / name, root / name)
    made = Workspace(root, tmp_path_factory.mktemp("output"), tuple(command))
    texts = {
        name: HEAD + text + "\nkernel_package()\n" if "BUILD" in name else text
        for name, text in CASES.items()
    }
    made.write(texts, "cases")
    yield made
    made.bazel("clean", "--expunge")


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A server on the loopback device that greets everyone; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"hello")

        threading.Thread(target=greet, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def run(workspace: Workspace, server: int) -> Run:
    """One run over all cases."""
    modules = host_modules()
    return workspace.bazel(
        "test",
        f"--test_env=SERVER_PORT={server}",
        f"--test_env=HOST_MODULES={','.join(modules)}",
        "--test_tag_filters=-lint",
        "--build_tag_filters=-lint",
        "//cases/...",
    )


def test_the_run_fails(run: Run) -> None:
    """A broken case breaks the build."""
    assert run.code == 1, run.output


@pytest.mark.parametrize(
    ("place", "what", "fix"),
    [
        (
            "cases/undeclared_package/m.py:3:",
            (
                "`import packaging` is not covered by a direct dep of "
                "//cases/undeclared_package:undeclared_package"
            ),
            "deps in cases/undeclared_package/BUILD.bazel",
        ),
        (
            "cases/undeclared_sibling/m_test.py:1:",
            "`from cases.undeclared_sibling import helper` is not covered",
            "deps in cases/undeclared_sibling/BUILD.bazel",
        ),
        (
            "cases/unused_dep/BUILD.bazel:",
            (
                "//cases/unused_dep:unused_dep has the dep //third_party:packaging, "
                "which no source of it imports"
            ),
            "remove it",
        ),
    ],
)
def test_the_build_refuses_it(place: str, what: str, fix: str, run: Run) -> None:
    """Imports without deps and deps without imports: file, line, fix."""
    assert run.has(place, "[law 3]", what, fix), run.output


def test_a_plain_build_refuses_it_too(workspace: Workspace) -> None:
    """The check is part of the build; nobody has to run a test to hear of it."""
    run = workspace.bazel("build", "//cases/unused_dep")

    assert run.code == 1, run.output
    assert run.has("[law 3]", "//cases/unused_dep:unused_dep has the dep")


def test_a_test_without_a_test_fails(run: Run) -> None:
    """An empty file can't pass."""
    assert run.results["//cases/no_test:m_test"] == "FAILED"
    assert "No test in cases/no_test/m_test.py." in run.logs["//cases/no_test:m_test"]


def test_the_host_does_not_leak_in(run: Run) -> None:
    """Neither installed packages nor undeclared files, however they are imported."""
    label = "//cases/hidden:m_test"

    assert run.results[label] == "PASSED", run.logs[label]


@pytest.mark.parametrize("name", ["offline_test", "online_test"])
def test_the_network_is_for_the_tagged(name: str, run: Run) -> None:
    """Without the tag a test has a loopback device of its own and nothing else."""
    label = f"//cases/network:{name}"

    assert run.results[label] == "PASSED", run.logs[label]


def test_shards_and_reports(run: Run, workspace: Workspace) -> None:
    """Two shards, a report each, every case once."""
    assert run.results["//cases/sharded:m_test"] == "PASSED"
    assert sorted(map(len, workspace.cases("//cases/sharded:m_test"))) == [1, 2]
    assert sorted(chain(*workspace.cases("//cases/sharded:m_test"))) == [
        "cases.sharded.m_test.TestGroup.test_a",
        "cases.sharded.m_test.TestGroup.test_b",
        "cases.sharded.m_test.test_a",
    ]


def test_the_filter_reaches_pytest(workspace: Workspace) -> None:
    """--test_filter=Class::test runs that test and no other."""
    run = workspace.bazel(
        "test", "--test_filter=TestGroup::test_a", "//cases/sharded:m_test"
    )

    assert run.code == 0, run.output
    assert list(chain(*workspace.cases("//cases/sharded:m_test"))) == [
        "cases.sharded.m_test.TestGroup.test_a"
    ]


@pytest.mark.parametrize("version", ["7.6.2", "6.5.0-pre.2", "9.0.0"])
def test_a_wrong_bazel_is_told_so(version: str, workspace: Workspace) -> None:
    """Older and newer than the WORKSPACE mode; the good ones in the list pass first."""
    text = BROKEN["versions/BUILD.bazel"].replace("{version}", version)
    workspace.write({"versions/BUILD.bazel": text})
    run = workspace.bazel("query", "//versions:all")

    assert run.code == 7, run.output
    assert run.has(f"This is Bazel {version}; the WORKSPACE mode", "needs 7.7 to 8.x")
    assert run.has("Run ./bazelw")
    shutil.rmtree(workspace.root / "versions")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "printf '/usr/bin/python3\\n/usr\\n3.9.2\\n'",
            "which is Python 3.9.2; 3.11 or newer is needed.",
        ),
        ("exit 1", "which does not run. Point it at a Python 3.11 or newer."),
    ],
    ids=["too old", "broken"],
)
def test_an_unfit_python_is_told_so(
    script: str, message: str, workspace: Workspace, tmp_path: Path
) -> None:
    """The message names the interpreter and the version that is needed."""
    fake = tmp_path / "python3"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    run = workspace.bazel(
        "query", f"--repo_env=KERNEL_PYTHON={fake}", "@creativeflow_kernel_python//:all"
    )

    assert run.code == 7, run.output
    assert run.has(f"KERNEL_PYTHON is {fake}, {message}"), run.output


def test_no_fitting_python_at_all_is_told_so(
    workspace: Workspace, tmp_path: Path
) -> None:
    """The message lists what was found on PATH instead."""
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nprintf '/usr/bin/python3\\n/usr\\n3.9.2\\n'\n")
    fake.chmod(0o755)
    run = workspace.bazel(
        "query",
        "--repo_env=KERNEL_PYTHON=",
        f"--repo_env=PATH={tmp_path}",
        "@creativeflow_kernel_python//:all",
    )

    assert run.code == 7, run.output
    assert run.has("none is on PATH (python3 is 3.9.2)", "or set KERNEL_PYTHON")


def test_a_build_file_that_breaks_a_law_fails_the_checks(workspace: Workspace) -> None:
    """The graph of a real build reaches the laws, which name file, line and fix."""
    workspace.write({n: t for n, t in BROKEN.items() if n.startswith("shared/")})
    label = "//tools/checks:tests/laws_test"
    run = workspace.bazel("test", "--test_filter=third_party_reach", label)

    assert run.results[label] == "FAILED", run.output
    assert (
        "shared/errors/BUILD.bazel:6: [law 1] //shared/errors:errors reaches "
        "//third_party:packaging, which its package may not. Fix: move the code"
    ) in run.logs[label]
