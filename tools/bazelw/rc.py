"""The generated rc files: what Bazel must know of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw import files, parts, truststore, wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.bazelw.settings import Settings

    Line = tuple[str, str]

# The file system in memory; Bazel makes a folder of its own there.
_MEMORY = Path("/dev/shm")  # noqa: S108 - Bazel's folder there is private
_MEMORY_SIZE = 2 << 30
_MEMORY_FREE = 1 << 30

# What actions see under --config=hermetic besides their inputs and their interpreter.
_SYSTEM = ("/bin", "/etc", "/lib", "/lib64", "/usr")


def render(lines: Iterable[Line]) -> str:
    """An rc file of commands and their options, quoted: paths may have spaces."""
    rows = [f"{command} {_quoted(option)}\n" for command, option in lines]
    return "# Written by bazelw.\n" + "".join(rows)


def machine(settings: Settings, *, prefix: Path | None = None) -> Path:
    """The rc file of this machine, under a name made of its content.

    Args:
        settings: The run.
        prefix: The distribution's packages, when Bazel is theirs.
    """
    lines = [*_repositories(settings), *_sandbox(settings, prefix)]
    if prefix:
        lines += _trust(settings)
    content = render(lines)
    path = settings.cache / "rc" / f"{files.digest(content)}.bazelrc"
    if not path.exists():
        files.write(path, content)
    return path


def _quoted(option: str) -> str:
    if not set(option) & set(" \t'\"\\#"):
        return option
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _repositories(settings: Settings) -> Iterator[Line]:
    house = wheels.folder(settings)
    variables = {
        # The toolchain has the interpreter that the wheels were chosen for.
        "KERNEL_PYTHON": str(settings.interpreter),
        # pip takes the locked wheels from the house and asks no index. It splits this
        # variable at spaces; a URL has none.
        "PIP_FIND_LINKS": house.as_uri(),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        # Else rules_python has pip ignore all these.
        "RULES_PYTHON_PIP_ISOLATED": "0",
    }
    if bundle := truststore.bundle(settings.environ):
        variables["REQUESTS_CA_BUNDLE"] = str(bundle)
    if not _has_c_compiler(settings):
        # Nothing is compiled here, but Bazel's Python rules ask for a compiler.
        variables["CC"] = "/bin/true"
    for name, value in variables.items():
        yield "common", f"--repo_env={name}={value}"
    # The wheels that rules_python itself is made of are found here by name and hash,
    yield "common", f"--distdir={house}"
    # or replaced. MODULE.bazel has a newer rules_python, with other parts.
    for name, folder in parts.repositories(settings).items():
        yield "common:workspace", f"--override_repository={name}={folder}"


def _has_c_compiler(settings: Settings) -> bool:
    named = settings.environ.get("CC")
    return bool(named or shutil.which("gcc", path=settings.environ.get("PATH")))


def _sandbox(settings: Settings, prefix: Path | None) -> Iterator[Line]:
    if sys.platform != "linux":
        return
    if _holds_sandboxes(_MEMORY):
        yield "common", f"--sandbox_base={_MEMORY}"
    needed = [*map(Path, _SYSTEM), Path(sys.base_prefix), settings.interpreter.parent]
    needed += [prefix] if prefix else []
    mounted: list[Path] = []
    for folder in needed:
        if folder.exists() and not any(map(folder.is_relative_to, mounted)):
            mounted.append(folder)
            yield "build:hermetic", f"--sandbox_add_mount_pair={folder}"


def _holds_sandboxes(folder: Path) -> bool:
    """Whether there is room, and programs may be run there."""
    try:
        system = os.statvfs(folder)
    except OSError:
        return False
    roomy = (
        system.f_blocks * system.f_frsize >= _MEMORY_SIZE
        and system.f_bavail * system.f_frsize >= _MEMORY_FREE
    )
    usable = os.access(folder, os.W_OK | os.X_OK)
    return roomy and usable and not system.f_flag & os.ST_NOEXEC


def _trust(settings: Settings) -> Iterator[Line]:
    """Let Java trust whom the machine trusts, such as a company's own authority."""
    bundle = truststore.bundle(settings.environ)
    if not bundle:
        return
    pem = bundle.read_text(errors="replace")
    store = settings.cache / "truststore" / f"{files.digest(pem)}.jks"
    if not store.exists():
        files.write(store, truststore.key_store(pem))
    yield "startup", f"--host_jvm_args=-Djavax.net.ssl.trustStore={store}"
