"""Asks the machine's own package mirror for packages of any suite; installs nothing.

apt works on a folder of ours: no root, no lock, no trace in the system. The machine's
settings for it (proxies, keys, certificates) count as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools.bazelw import files, process, versions
from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tools.bazelw.console import Step

# Where a newer Bazel is. A mirror offers a suite by its alias, its code name or both.
_LATER_SUITES = (("testing", "forky"), ("unstable", "sid"), ("devel",))
_ALIASES = ("stable", "testing", "unstable", "sid", "devel")
_MAIN_COMPONENTS = {"main", "universe"}

_SOURCE_LIST = "Dir::Etc::sourcelist/f"
_SOURCE_PARTS = "Dir::Etc::sourceparts/d"

_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<parts>.+)"
)
# Fields that PrivateApt settles itself. In one-line sources some have short names.
_SETTLED = {"types", "uris", "suites", "components", "enabled"}
_SETTLED |= {"targets", "target", "architectures", "arch", "languages", "lang"}


class Archive(NamedTuple):
    """A mirror of a distribution, as the machine's own sources name it.

    Attributes:
        uri: Its address.
        suite: The suite that the machine takes from it.
        components: Parts of a suite, such as ``main``.
        options: What else the source says, such as the key, by apt's field names.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def source(self, suite: str) -> str:
        """The content of a .sources file for *suite* of this mirror."""
        fields = {
            "Types": "deb",
            "URIs": self.uri,
            "Suites": suite,
            "Components": " ".join(self.components),
            "Targets": "Packages",
            **dict(self.options),
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def machine_archives(
    codenames: Iterable[str], environ: Mapping[str, str]
) -> list[Archive]:
    """`archives` of the files that apt reads on this machine."""
    asked = process.run(
        ["apt-config", "shell", "one", _SOURCE_LIST, "all", _SOURCE_PARTS],
        environ=environ,
    )
    named = dict(re.findall(r"^(one|all)='(.*)'$", asked.output, re.MULTILINE))
    parts = Path(named.get("all", "/etc/apt/sources.list.d"))
    one = Path(named.get("one", "/etc/apt/sources.list"))
    one_line = [one, *sorted(parts.glob("*.list"))]
    return archives(
        _joined(sorted(parts.glob("*.sources"))), _joined(one_line), codenames
    )


def _joined(paths: Iterable[Path]) -> str:
    texts = []
    for path in paths:
        try:
            texts.append(path.read_text())
        except OSError:  # absent, or not for this user
            continue
    return "\n\n".join(texts)


def archives(stanzas: str, one_line: str, codenames: Iterable[str]) -> list[Archive]:
    """The distribution's own mirrors among the machine's sources, one for each address.

    Args:
        stanzas: The content of .sources files.
        one_line: The content of .list files.
        codenames: The distribution's names for the running system. A source of another
            suite is somebody's add-on.
    """
    own = {*codenames, *_ALIASES}
    found: dict[str, Archive] = {}
    for archive in (*_stanzas(stanzas), *_one_line(one_line)):
        if archive.suite in own and _MAIN_COMPONENTS & set(archive.components):
            first = found.setdefault(archive.uri, archive)
            if first.suite == archive.suite:  # one-line sources may split a suite
                parts = dict.fromkeys(first.components + archive.components)
                found[archive.uri] = first._replace(components=tuple(parts))
    return list(found.values())


def _stanzas(text: str) -> Iterator[Archive]:
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace() and name:
                fields[name] += f"\n{line}"  # a key may stand here with all its lines
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        words = {name: value.split() for name, value in fields.items()}
        if "deb" in words.get("types", ()) and fields.get("enabled") != "no":
            options = tuple(pair for pair in fields.items() if pair[0] not in _SETTLED)
            for uri in words.get("uris", ()):
                for suite in words.get("suites", ()):
                    yield Archive(uri, suite, tuple(words["components"]), options)


def _one_line(text: str) -> Iterator[Archive]:
    for line in text.splitlines():
        if match := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
            pairs = [word.partition("=") for word in (match["options"] or "").split()]
            options = tuple((n.lower(), v) for n, _, v in pairs if n not in _SETTLED)
            components = tuple(match["parts"].split())
            yield Archive(match["uri"], match["suite"], components, options)


def attempts(
    mirrors: Sequence[Archive],
    offered: Sequence[tuple[str, str]],
    wanted: versions.Version,
) -> Iterator[tuple[Archive, tuple[str, ...]]]:
    """Where to look for Bazel, best first: a mirror, and the names of one suite there.

    Args:
        mirrors: The machine's mirrors.
        offered: Version and suite of each Bazel in the machine's own package lists.
        wanted: The version that is to fit.
    """
    known = [(versions.packaged(version), suite) for version, suite in offered]
    own = {suite for found, suite in known if found and found.fits_workspace(wanted)}
    yield from ((mirror, (mirror.suite,)) for mirror in mirrors if mirror.suite in own)
    for names in _LATER_SUITES:
        yield from ((mirror, names) for mirror in mirrors)
    if not offered:
        # No lists, as in a fresh container: its own suite may carry it all the same.
        yield from ((mirror, (mirror.suite,)) for mirror in mirrors)


def offered(package: str, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Version and suite of *package* in the machine's own lists, which may be empty."""
    answer = process.run(["apt-cache", "madison", package], environ=environ)
    # bazel-bootstrap | 4.2.3+ds-9 | http://mirror/debian bookworm/main amd64 Packages
    row = r"^[^|]*\| *(\S+) *\| *\S+ ([^/\s]+)/"
    found: list[tuple[str, str]] = re.findall(row, answer.output, re.MULTILINE)
    return found


class PrivateApt:
    """apt at work in a folder of ours."""

    def __init__(
        self, work: Path, *, held: Iterable[str], environ: Mapping[str, str]
    ) -> None:
        """Lay out the folder.

        Args:
            work: The folder; it is made.
            held: Packages that apt takes for installed, in whatever version is needed.
            environ: The environment apt runs in.
        """
        self._work = work
        self._environ = {**environ, "LC_ALL": "C"}
        for name in ("lists/partial", "archives/partial"):
            files.make_folder(work / name)
        (work / "status").write_text("".join(_HELD.format(name=name) for name in held))
        asked = process.run(["dpkg", "--print-architecture"], environ=environ)
        values = {"work": work, "architecture": asked.output.strip()}
        (work / "apt.conf").write_text(_CONFIGURATION.format(**values))

    def use(self, archive: Archive, suite: str) -> str:
        """Turn to *suite*. The answer is why it can't be had, or empty."""
        (self._work / "private.sources").write_text(archive.source(suite))
        updated = self._run("apt-get", "update")
        return updated.reason if updated.code else ""

    def version(self, package: str) -> str:
        """The version of *package* in the suite, or empty."""
        shown = self._run("apt-cache", "show", "--no-all-versions", package)
        match = re.search(r"^Version: *(\S+)", shown.output, re.MULTILINE)
        return match[1] if match else ""

    def fetch(self, packages: Iterable[str], step: Step) -> list[Path]:
        """Fetch packages and all they need; apt checks each against the signed lists.

        Raises:
            Trouble: Some can't be had.
        """
        folder = self._work / "archives"

        def watch(output: str) -> str:
            if need := re.search(r"Need to get (.+?) of archives", output):
                step.progress(f"{files.size_of(folder) / 1e6:.0f} MB of {need[1]}")
            return ""

        options = ("--yes", "--download-only", "--no-install-recommends")
        fetched = self._run("apt-get", "install", *options, *packages, watch=watch)
        debs = sorted(folder.glob("*.deb"))
        if fetched.code or not debs:
            raise Trouble(f"packages could not be fetched: {fetched.reason}")
        return debs

    def _run(
        self, program: str, *arguments: str, watch: Callable[[str], str] | None = None
    ) -> process.Finished:
        # What -c says comes last and so wins over the machine's own settings.
        configuration = str(self._work / "apt.conf")
        command = [program, "-c", configuration, *arguments]
        return process.run(command, environ=self._environ, watch=watch)


_HELD = """\
Package: {name}
Status: install ok installed
Architecture: all
Version: 999:1
Maintainer: none
Description: left out

"""

_CONFIGURATION = """\
Dir::Etc::sourcelist "{work}/private.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}";
Dir::Cache::archives "{work}/archives";
Debug::NoLocking "true";
APT::Sandbox::User "root";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
// Hooks of the system are for the system's own lists.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""
