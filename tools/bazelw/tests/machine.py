"""A made-up machine to run bazelw on: its PATH, mirror and index hold only fakes.

Private to the tests of tools/bazelw.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PYTHON = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())

_HOST_PROGRAMS = ("cat", "cp", "dirname", "readlink", "sh", "sleep", "touch")

# Prints its version, or writes down how it was called.
_BAZEL = """\
#!/bin/sh
[ "$1" = --version ] && echo "bazel {version}" && exit
: > '{calls}/arguments'
[ $# -eq 0 ] || printf '%s\\0' "$@" > '{calls}/arguments'
printf %s "$PWD" > '{calls}/folder'
printf %s "${{USE_BAZEL_VERSION:-}}" > '{calls}/use_bazel_version'
echo from bazel
{then}
"""

_PROGRAM = """\
#!{python} -IS
import os, pathlib, shutil, sys, time
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
home = pathlib.Path({home!r})
with open(home / "calls" / name, "a") as log:
    print(*arguments, file=log)
{body}
"""

_PIP = """\
import hashlib, os, pathlib, shutil, sys
home = pathlib.Path({home!r})
with open(home / "calls/pip", "a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[1:] == ["--version"]:
    print((home / "pip_version").read_text())
    sys.exit()
options = dict(word.partition("=")[::2] for word in sys.argv if "=" in word)
index = home / "index"
files = {{hashlib.sha256(f.read_bytes()).hexdigest(): f for f in index.glob("*.whl")}}
found = []
for line in open(options["--requirement"]):
    requirement, *hashes = line.split(" --hash=sha256:")
    print("Collecting", requirement)
    if "never" in requirement:
        continue
    name = requirement.partition("=")[0]
    match = [files[h.strip()] for h in hashes if h.strip() in files]
    if not match:
        print("WARNING: Retrying")
        print("ERROR: No matching distribution found for", requirement)
        sys.exit(1)
    found += match
os.makedirs(options["--dest"])
for file in found:
    shutil.copy(file, options["--dest"])
"""

_NPM = """\
if (home / "npm_fails").exists():
    print("npm error network request failed")
    sys.exit(1)
package = pathlib.Path("node_modules/@bazel/bazelisk")
package.mkdir(parents=True)
for system in ("linux", "darwin"):
    for machine in ("amd64", "arm64"):
        shutil.copy(home / "bazelisk", package / f"bazelisk-{system}_{machine}")
"""

# One program for all of apt. A suite is a file in suites/ with the version it carries.
_APT = """\
suites = home / "suites"
if name == "apt-config":
    print(f"one='{home}/sources.list'")
    print(f"all='{home}/sources.list.d/'")
elif name == "dpkg":
    print("amd64")
elif arguments[0] == "madison":
    for offered in sorted(home.glob("offered/*")):
        row = "http://mirror.invalid/debian " + offered.name + "/main amd64 Packages"
        print("bazel-bootstrap |", offered.read_text(), "|", row)
else:
    work = pathlib.Path(arguments[1]).parent
    source = (work / "private.sources").read_text()
    if (home / "no_network").exists():
        print("E: Failed to fetch http://mirror.invalid  Temporary failure resolving")
        sys.exit(100)
    suite = suites / source.partition("Suites: ")[2].split()[0]
    if not suite.exists():
        print(f"E: The repository '{suite.name}' does not have a Release file.")
        sys.exit(100)
    if "show" in arguments and suite.read_text():
        print("Package: bazel-bootstrap", "Version: " + suite.read_text(), sep="\\n")
    if "install" in arguments:
        print("Need to get 1 kB of archives.", flush=True)
        while (home / "hold").exists():
            (home / "held").touch()
            time.sleep(0.02)
        if (home / "apt_fails").exists():
            print("E: Unable to fetch some archives")
            sys.exit(100)
        (work / "archives" / "bazel.deb").write_text("one")
        (work / "archives" / "java.deb").write_text("other")
"""

_DPKG_DEB = """\
if (home / "dpkg_fails").exists():
    print("dpkg-deb: error: no space left on device")
    sys.exit(2)
if arguments[1].endswith("bazel.deb"):
    shutil.copytree(home / "tree", arguments[2], symlinks=True, dirs_exist_ok=True)
"""


class Machine:
    """A checkout, a cache and a PATH of their own, with spaces in their names.

    Attributes:
        home: Where everything is, and where the fakes look how to behave.
        root: The checkout.
        cache: KERNEL_CACHE.
        bin: The first folder on PATH.
        calls: What the fakes were called with, a file for each.
        parts: The lock of what replaces parts of rules_python; empty.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "check out"
        self.cache = home / "ca che"
        self.bin = home / "bin"
        self.calls = home / "calls"
        for folder in (self.root, self.bin, self.calls):
            folder.mkdir()
        shutil.copy(REPOSITORY / "bazelw", self.root)
        # Compiled modules too, where there are some: they save half of each run.
        shutil.copytree(
            REPOSITORY / "tools/bazelw",
            self.root / "tools/bazelw",
            ignore=shutil.ignore_patterns("tests"),
        )
        (self.root / ".bazelversion").write_text("7.7.1\n")
        self.parts = self.root / "tools/bazelw/rules_python_lock.txt"
        self.parts.write_text("")
        for name in _HOST_PROGRAMS:
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self._add_python()
        self.environ = {
            "HOME": str(home / "nobody"),
            "KERNEL_CACHE": str(self.cache),
            "PATH": f"{self.bin}:{home / 'env/bin'}",
        }

    def _add_python(self) -> None:
        """An environment without anything but a fake pip."""
        environment = self.home / "env"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        package = environment / "lib" / version / "site-packages" / "pip"
        package.mkdir(parents=True)
        (environment / "bin").mkdir()
        (environment / "bin/python3").symlink_to(PYTHON)
        (environment / "pyvenv.cfg").write_text(
            f"home = {Path(PYTHON).parent}\ninclude-system-site-packages = false\n"
        )
        (package / "__main__.py").write_text(_PIP.format(home=str(self.home)))
        (package / "__init__.py").touch()
        (self.home / "pip_version").write_text("pip 23.2.1 from here")
        (self.home / "index").mkdir()

    def run(
        self, *arguments: str, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run bazelw to its end."""
        return subprocess.run(
            [self.root / "bazelw", *arguments],
            cwd=cwd or self.root,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start bazelw."""
        return subprocess.Popen(
            [self.root / "bazelw", *arguments],
            cwd=self.root,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def called(self, name: str) -> list[str]:
        """The arguments of each call of a fake."""
        log = self.calls / name
        return log.read_text().splitlines() if log.exists() else []

    @property
    def bazel_arguments(self) -> list[str]:
        """What Bazel was given."""
        return (self.calls / "arguments").read_text().split("\0")[:-1]

    @property
    def rc(self) -> str:
        """The rc files that Bazel was given, one after the other."""
        options = [
            word for word in self.bazel_arguments if word.startswith("--bazelrc=")
        ]
        return "".join(Path(word.partition("=")[2]).read_text() for word in options)

    def leftovers(self) -> list[str]:
        """What is in the cache besides locks and what is whole."""
        temporary = (".new-*", ".staging-*", "*.work")
        found = [path for pattern in temporary for path in self.cache.rglob(pattern)]
        torsos = [p for p in self.cache.glob("bazel/*-1") if not (p / "ready").exists()]
        return sorted(str(path.relative_to(self.cache)) for path in found + torsos)

    def write_program(self, path: Path, text: str) -> Path:
        """A program made of *text*, ``#!`` included."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def add_bazel(
        self, version: str = "7.7.1", *, path: Path | None = None, then: str = ""
    ) -> Path:
        """A fake Bazel; *then* is what it does at the end, in shell."""
        text = _BAZEL.format(version=version, calls=self.calls, then=then)
        return self.write_program(path or self.bin / "bazel", text)

    def add_npm(self, version: str = "7.7.1") -> None:
        """An npm that has a bazelisk which has *version* already."""
        self.add_bazel(version, path=self.home / "bazelisk")
        self._add_fakes(_NPM, "npm")

    def add_distribution(self, **suites: str) -> None:
        """An apt with a mirror; *suites* carry these versions of Bazel."""
        for suite, version in suites.items():
            file = self.home / "suites" / suite
            file.parent.mkdir(exist_ok=True)
            file.write_text(version)
        (self.home / "sources.list").write_text(
            "deb [signed-by=/keys/a.gpg] http://mirror.invalid/debian stable main\n"
        )
        self._add_fakes(_APT, "apt-get", "apt-cache", "apt-config", "dpkg")
        self._add_fakes(_DPKG_DEB, "dpkg-deb")
        self._add_tree()

    def _add_fakes(self, body: str, *names: str) -> None:
        text = _PROGRAM.format(python=PYTHON, home=str(self.home), body=body)
        for name in names:
            self.write_program(self.bin / name, text)

    def _add_tree(self) -> None:
        """What the packages hold, as far as bazelw looks at it."""
        tree = self.home / "tree"
        shared = tree / "usr/share/bazel"
        library = tree / "usr/lib/x86_64-linux-gnu"
        self.add_bazel(path=tree / "usr/bin/bazel")
        # Finds the version behind the options that this Bazel always gets.
        bazel = (tree / "usr/bin/bazel").read_text()
        bazel = bazel.replace('[ "$1" =', 'for last; do :; done; [ "$last" =')
        (tree / "usr/bin/bazel").write_text(bazel)
        self.write_program(library / "ld-linux-x86-64.so.2", "#!/bin/sh\n")
        java = tree / "usr/lib/jvm/java-25-openjdk-amd64"
        self.write_program(java / "bin/java", "#!/bin/sh\n")
        (java / "lib").mkdir()
        (java / "lib/jvm.cfg-default").touch()
        (shared / "tools/skylib").mkdir(parents=True)
        (shared / "bazel_classpath_debian_depends.txt").write_text("")
        (shared / "rules/python/python/pip_install").mkdir(parents=True)
        wheel = self.publish("installer", "0.7.0")
        (shared / "rules/python/python/pip_install/repositories.bzl").write_text(
            '("pypi__installer",\n'
            ' "https://files.invalid/packages/installer-0.7.0-py3-none-any.whl",\n'
            f' "{wheel}",)\n'
        )

    def publish(self, name: str, version: str) -> str:
        """Put a wheel in the package index; the answer is its hash."""
        wheel = self.home / "index" / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            # A member without a time: the same wheel has the same hash.
            archive.writestr(zipfile.ZipInfo(f"{name}.py"), f"version = {version!r}\n")
        return hashlib.sha256(wheel.read_bytes()).hexdigest()

    def lock(self, *entries: str) -> None:
        """Write requirements_lock.txt: ``name==version`` are published and pinned."""
        lines = ["# Written by a resolver."]
        for entry in entries:
            name, _, version = entry.partition(" ;")[0].partition("==")
            lines += [f"{entry} \\", f"    --hash=sha256:{'0' * 64} \\"]
            lines += [f"    --hash=sha256:{self.publish(name, version)}"]
            lines += ["    # via something"]
        (self.root / "requirements_lock.txt").write_text("\n".join(lines))

    @property
    def wheels(self) -> list[str]:
        """The wheels in the cache."""
        return sorted(os.listdir(self.cache / "wheels"))
