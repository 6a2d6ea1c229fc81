from __future__ import annotations

from pathlib import Path

import pytest

from tools.new_service import workspace
from tools.new_service.answers import FILE, Answers, Remembered
from tools.new_service.errors import BadInputError, GeneratorError
from tools.new_service.naming import names

ANSWERS = Answers.check("user-service", 8005)
FILES = {"app.py": "x = 'é'\n", "tests/app_test.py": "", ".env.example": "A=1\n"}


def listing(root: Path) -> list[str]:
    """Every file and folder below *root*."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_writes_everything(root: Path) -> None:
    """The folder stands where it should, and nothing else is left."""
    workspace.write(root, ANSWERS, FILES)

    written = root / "services/user_service"
    assert {p: (written / p).read_bytes().decode() for p in FILES} == FILES
    assert [p.name for p in (root / "services").iterdir()] == ["user_service"]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "broken link"])
def test_what_is_there_is_not_overwritten(root: Path, kind: str) -> None:
    """Not even an empty folder, or a link to nowhere."""
    place = root / "services/user_service"
    place.parent.mkdir()
    match kind:
        case "file":
            place.write_text("mine")
        case "broken link":
            place.symlink_to("nowhere")
        case _:
            place.mkdir()
    if kind == "folder":
        (place / "app.py").write_text("mine")
    before = listing(root)

    with pytest.raises(GeneratorError, match="services/user_service exists already"):
        workspace.write(root, ANSWERS, FILES)

    assert listing(root) == before


def test_a_taken_port_writes_nothing(root: Path) -> None:
    """The line says who has it."""
    other = root / "services/other_service" / FILE
    other.parent.mkdir(parents=True)
    other.write_text(Remembered(answers=Answers.check("other-service", 8005)).to_toml())
    before = listing(root)

    with pytest.raises(
        GeneratorError, match=r"Port 8005 is taken by services/other_service/\.kernel"
    ):
        workspace.write(root, ANSWERS, FILES)

    assert listing(root) == before


@pytest.mark.parametrize("services", [True, False])
def test_a_failure_in_the_middle_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, services: bool
) -> None:
    """A full disk after the first file: the workspace is as it was."""
    if services:
        (root / "services/other").mkdir(parents=True)
    before = listing(root)
    write_text = Path.write_text

    def fail_late(self: Path, data: str, **options: str) -> int:
        if self.name == ".env.example":
            raise OSError(28, "No space left on device")
        return write_text(self, data, **options)

    monkeypatch.setattr(Path, "write_text", fail_late)
    with pytest.raises(GeneratorError, match=r"No space left on device\. Nothing is"):
        workspace.write(root, ANSWERS, FILES)

    assert listing(root) == before


def test_an_interruption_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C before the rename: no half service, and no scratch folder."""
    before = listing(root)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        workspace.write(root, ANSWERS, FILES)

    assert caught.value.args == ()
    assert listing(root) == before


def test_only_this_repository_is_written_to(tmp_path: Path) -> None:
    """Another workspace lacks what the BUILD file of a service loads."""
    with pytest.raises(GeneratorError, match=r"has no tools/bazel/python\.bzl"):
        workspace.check_root(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "There is no services/user_service"),
        (
            {"app.py": ""},
            r"services/user_service/\.kernel-service\.toml does not exist",
        ),
        (
            {FILE: Remembered(answers=Answers.check("x-service", 8006)).to_toml()},
            "says that the service is x-service",
        ),
        ({FILE: "?"}, r"\.kernel-service\.toml can't be read"),
    ],
)
def test_a_service_without_a_memory(
    root: Path, files: dict[str, str], message: str
) -> None:
    """The line says what is missing."""
    for name, text in files.items():
        path = root / "services/user_service" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    with pytest.raises(BadInputError, match=message):
        workspace.remembered(root, names("user-service"))
