"""Makes the prefix that `tools.bazelw.distribution` describes."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw import apt, distribution, files, process, rc, relocate, versions
from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.bazelw.console import Console
    from tools.bazelw.settings import Settings

_BAZEL = "bazel-bootstrap"
_WANTED = (
    _BAZEL,
    "bazel-lib",
    "bazel-rules-shell",
    "default-jre-headless",
    "patchelf",
    "python3-pip-whl",
)

# What these depend on and we leave out: apt is told that it is there.
_HELD = (
    # The machine has its own.
    "build-essential",
    "ca-certificates",
    "ca-certificates-java",
    "coreutils",
    "debconf",
    "java-common",
    "openssl",
    "perl-base",
    "procps",
    "python3",
    "rust-coreutils",
    "tar",
    "unzip",
    "util-linux",
    "zlib1g-dev",
    "zstd",
    # The compiler half of Java, its desktop half, and documentation.
    "default-jdk-headless",
    "libjpeg62-turbo",
    "libjs-jquery",
    "liblcms2-2",
    "libnss3",
    "libpcsclite1",
    "node-core-js",
    "node-html5shiv",
    # Libraries of libraries, for features of theirs that Bazel doesn't use.
    "bats",
    "bats-assert",
    "bats-file",
    "bats-support",
    "junit4",
    "libeclipse-jdt-core-compiler-batch-java",
    "libeclipse-jdt-core-java",
    "libjavaparser-java",
    "libjgit-java",
    "libjsch-java",
    "liblog4j1.2-java",
    "liblog4j2-java",
    "libmaven-common-artifact-filters-java",
    "libmaven-enforcer-plugin-java",
    "libmaven3-core-java",
)
_UNUSED_FOLDERS = ("bug", "doc", "javadoc", "lintian", "man", "maven-repo")

# Folder below usr/share/bazel, by the name under which BUILD files load it.
_REPOSITORIES = {
    "bazel_features": "tools/features",
    "bazel_lib": "tools/bazel_lib",
    "bazel_skylib": "tools/skylib",
    "platforms": "tools/platforms",
    "rules_cc": "rules/cc",
    "rules_java": "rules/java",
    "rules_license": "rules/license",
    "rules_proto": "rules/proto",
    "rules_python": "rules/python",
    "rules_shell": "rules/shell",
}
_CLASS_PATH = "usr/share/bazel/bazel_classpath_debian_depends.txt"


def prepare(settings: Settings, console: Console) -> Path:
    """Make the prefix, unless it is ready.

    Raises:
        Trouble: This machine can't, or its mirror carries no Bazel that fits.
    """
    place = distribution.prefix(settings)
    if distribution.is_ready(settings):
        return place
    path = settings.environ.get("PATH")
    tools = ("apt-get", "dpkg-deb")
    missing = [name for name in tools if not shutil.which(name, path=path)]
    if sys.platform != "linux" or missing:
        what = f"{' and '.join(missing)} not on PATH" if missing else sys.platform
        raise Trouble(f"this is for Debian and its kin ({what})")
    if ":" in str(place) or "$" in str(place):
        raise Trouble(f"a library path can't hold ':' or '$', and {place} does")
    lock = place.with_name(f"{place.name}.lock")
    with files.locked(lock, console, doing=f"preparing Bazel {settings.wanted}"):
        if not distribution.is_ready(settings):
            _make_or_clear(place, settings, console)
    return place


def _make_or_clear(place: Path, settings: Settings, console: Console) -> None:
    work = place.with_name(f"{place.name}.work")
    _remove(place, work)  # what a killed run left
    try:
        _make(place, work, settings, console)
        files.write(place / "ready", str(place))
    except BaseException:
        _remove(place)
        raise
    finally:
        _remove(work)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _make(place: Path, work: Path, settings: Settings, console: Console) -> None:
    console.say(f"preparing Bazel {settings.wanted} from the distribution's packages")
    packages = apt.PrivateApt(work, held=_HELD, environ=settings.environ)
    with console.step("looking for a suite that carries it"):
        suite = _choose_suite(packages, settings)
    with console.step(f"fetching packages of {suite}") as step:
        debs = packages.fetch(_WANTED, step)
    with console.step(f"unpacking {len(debs)} packages"):
        _unpack(debs, place, settings)
    with console.step("pointing programs at their libraries"):
        relocate.relocate(place, environ=settings.environ)
        relocate.write_class_path(place, place / _CLASS_PATH)
        _write_rc_files(place, _java(place))
    bazel = [*distribution.program(place), "--version"]
    answer = process.run(bazel, environ=settings.environ)
    found = versions.reported(answer.output)
    if not found or not found.fits_workspace(settings.wanted):
        raise Trouble(f"the unpacked Bazel does not run: {answer.reason}")


def _choose_suite(packages: apt.PrivateApt, settings: Settings) -> str:
    """Turn *packages* to the first suite with a Bazel that fits, and name it."""
    mirrors = apt.machine_archives(_codenames(), settings.environ)
    if not mirrors:
        raise Trouble("apt's sources name no mirror of the distribution")
    offered = apt.offered(_BAZEL, settings.environ)
    told = [f"found no suite with a Bazel {settings.wanted.major} that fits:"]
    unreachable = set()
    for mirror, names in apt.attempts(mirrors, offered, settings.wanted):
        for suite in names:
            if mirror.uri in unreachable:
                continue
            if reason := packages.use(mirror, suite):
                told.append(f"  {suite}: {reason}")
                if reason.startswith("E: Failed to fetch"):
                    unreachable.add(mirror.uri)
                continue
            carried = packages.version(_BAZEL)
            found = versions.packaged(carried)
            if found and found.fits_workspace(settings.wanted):
                return suite
            told.append(f"  {suite}: carries Bazel {carried or 'not at all'}")
            break
    raise Trouble("\n".join(told))


def _codenames() -> set[str]:
    """The distribution's names for this system, and for the one it derives from."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return set()
    return {value for name, value in release.items() if name.endswith("_CODENAME")}


def _unpack(debs: Sequence[Path], place: Path, settings: Settings) -> None:
    """Unpack on every core, the biggest first so that all end at about one time."""
    files.make_folder(place)
    hands = os.cpu_count() or 1
    biggest_first = sorted(debs, key=lambda deb: -deb.stat().st_size)
    script = 'for deb; do dpkg-deb --extract "$deb" "$0" || exit; done'
    shares = [biggest_first[hand::hands] for hand in range(hands)]
    start: list[str | Path] = ["sh", "-c", script, place]
    commands = [[*start, *share] for share in shares if share]
    for ended in process.run_all(commands, environ=settings.environ):
        if ended.code:
            raise Trouble(f"a package could not be unpacked: {ended.reason}")
    _remove(*(place / "usr/share" / name for name in _UNUSED_FOLDERS))


def _java(place: Path) -> Path:
    """The home of the unpacked Java, made complete."""
    programs = sorted(place.glob("usr/lib/jvm/*/bin/java"))
    homes = {program.parents[1].resolve(): None for program in programs}
    if not homes:
        raise Trouble("the packages hold no Java")
    home = next(iter(homes))
    settled = home / "lib/jvm.cfg"
    if not settled.exists():
        # An installation would have settled which of its machines is the default.
        settled.unlink(missing_ok=True)
        settled.symlink_to("jvm.cfg-default")
    return home


def _write_rc_files(place: Path, java: Path) -> None:
    shipped = place / "usr/share/bazel"
    folders = {name: shipped / below for name, below in _REPOSITORIES.items()}
    there = {name: folder for name, folder in folders.items() if folder.exists()}
    startup = [
        f"--install_base={shipped}",
        "--trust_install_base",
        f"--server_javabase={java}",
    ]
    lines = [("startup", option) for option in startup]
    # The mode is spelled out: other workspaces may be built with this Bazel.
    lines += [("common:workspace", "--noenable_bzlmod")]
    lines += [("common:workspace", "--enable_workspace")]
    lines += [("common", "--config=workspace")]
    for name, folder in there.items():
        lines.append(("common", f"--override_repository={name}={folder}"))
    files.write(place / "bazelrc", rc.render(lines))
    modules = [("common", f"--override_module={n}={f}") for n, f in there.items()]
    files.write(place / "bzlmod.bazelrc", rc.render(modules))
