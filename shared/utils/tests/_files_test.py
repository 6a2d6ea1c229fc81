from __future__ import annotations

import os
import re
import shlex
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.utils._files import file_extension, sanitize_filename, unique_filename

# Text that is more wicked than what people write.
WICKED = st.sampled_from(
    [
        *'<>:"/\\|?*.-~ \t\r\n\0_',
        *";&$`'(){}[]!#%^,=@+",
        *"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u2013\u2014\u2015",
        "\uff04",
        "..",
        "CON",
        "com¹",
        ".pdf",
        "é",
        "e\u0301",
        "\u202e",
        "\u200d",
        "\ufeff",
        "\ud800",
        "\uf03a",
        "\uff0f",
        "\U0001f468\u200d\U0001f469",
        "\u0301" * 200,
        "日本語",
        "x" * 200,
    ]
)
NAMES = st.text() | st.lists(WICKED | st.characters(), max_size=8).map("".join)
SIZES = st.integers(64, 255)

DEVICES = re.compile(
    r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])(\..*)?",
    re.IGNORECASE | re.DOTALL,
)


@settings(deadline=None)
@given(NAMES, SIZES)
@example("../../etc/passwd", 255)
@example("CON" + "e" + "\u0301" * 200, 64)
@example("e" + "\u0301" * 2000 + ".pdf", 64)
@example("a." + "b" * 300, 64)
def test_every_result_is_safe(name: str, max_bytes: int) -> None:
    """On every system, in every way in which a name can be unsafe."""
    safe = sanitize_filename(name, max_bytes=max_bytes)

    assert 0 < len(safe.encode()) <= max_bytes
    assert safe == unicodedata.normalize("NFC", safe)
    assert not re.search(r'[<>:"/\\|?*]', unicodedata.normalize("NFKC", safe))
    assert {unicodedata.category(char)[0] for char in safe}.isdisjoint("CZ")
    assert safe[0] not in ".-~@"
    assert safe[-1] != "."
    assert not DEVICES.fullmatch(safe)
    assert os.path.basename(safe) == safe == Path("/a", safe).name


@settings(deadline=None)
@given(NAMES | st.text(st.characters(max_codepoint=127)))
@example("$(reboot).pdf")
@example("it\u2019s.pdf")
def test_every_result_is_one_word_of_a_shell(name: str) -> None:
    """POSIX shells need no quotes around it, nor do those of Windows."""
    safe = sanitize_filename(name)
    plain = "x" + re.sub(r"[^\0-\x7f]", "", safe)  # shlex quotes é as well

    assert shlex.quote(plain) == plain
    # Of what shlex leaves alone: %PATH%, and what cmd and PowerShell split words at
    assert not re.search("[%,=]", unicodedata.normalize("NFKC", safe))
    # PowerShell takes typographic quotes for quotes, and dashes for hyphens.
    assert not re.search("[\u2018-\u201b\u201c-\u201e]", safe)
    assert not re.match("[\u2013-\u2015]", safe)


@settings(deadline=None)
@given(
    st.text(
        st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo"]),
        min_size=1,
        max_size=20,
    )
)
def test_letters_stay(name: str) -> None:
    """Those of every script."""
    letters = unicodedata.normalize("NFC", name)

    assert sanitize_filename(name) in (letters, f"_{letters}")


@settings(deadline=None)
@given(NAMES, SIZES)
@example("CON" + "e" + "\u0301" * 200, 64)
def test_nothing_is_left_to_do(name: str, max_bytes: int) -> None:
    """A name that went through it twice is the same."""
    safe = sanitize_filename(name, max_bytes=max_bytes)

    assert sanitize_filename(safe, max_bytes=max_bytes) == safe


@settings(deadline=None)
@given(
    st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,40}(\.[a-z0-9]{1,5}){0,3}", fullmatch=True)
)
def test_safe_name_is_left_alone(name: str) -> None:
    """What is fine is not made "better"; but for devices."""
    assert sanitize_filename(name) in (name, f"_{name}")


@settings(deadline=None)
@given(NAMES, st.sampled_from(["pdf", "JPG", "tar.gz", "mp4"]), SIZES)
def test_extension_is_kept(name: str, extension: str, max_bytes: int) -> None:
    """Also when the name is cut."""
    safe = sanitize_filename(f"x{name}x.{extension}", max_bytes=max_bytes)

    assert safe.endswith("." + extension.rpartition(".")[2])
    assert file_extension(safe) == extension.rpartition(".")[2].lower()


@settings(deadline=None)
@given(NAMES)
def test_file_can_be_written(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """Here, in its folder and nowhere else."""
    folder = tmp_path_factory.mktemp("files")
    (folder / sanitize_filename(name)).write_text("x")

    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("my file.pdf", "my_file.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\Users\\ada\\report.docx", "C_Users_ada_report.docx"),
        ("a  \t b.txt ", "a_b.txt"),
        ("file.", "file"),
        ("file . ", "file"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("~/x", "x"),
        ("__init__.py", "__init__.py"),
        ("con", "_con"),
        ("CON.tar.gz", "_CON.tar.gz"),
        ("lpt¹.txt", "_lpt¹.txt"),
        ("console.log", "console.log"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("cafe\u0301.txt", "café.txt"),
        ("a\uff0fb\u2044c", "a_b\u2044c"),
        ("a - b.txt", "a_b.txt"),
        ("$(reboot).pdf", "reboot_.pdf"),
        ("`reboot`.pdf", "reboot_.pdf"),
        ("a;id.txt", "a_id.txt"),
        ("a&b.txt", "a_b.txt"),
        ("a'b.txt", "a_b.txt"),
        ("a\u2019b.txt", "a_b.txt"),
        ("a,b=c.txt", "a_b_c.txt"),
        ("%PATH%.txt", "PATH_.txt"),
        ("{a,b}.txt", "a_b_.txt"),
        ("report (1).pdf", "report_1_.pdf"),
        ("[x]!^.txt", "x_.txt"),
        ("#x", "x"),
        ("--help", "help"),
        ("\u2014help", "help"),
        ("@list.txt", "list.txt"),
        ("ada@example.com.txt", "ada@example.com.txt"),
        ("~ada.txt", "ada.txt"),
        ("a~b.txt", "a_b.txt"),
        ("CONIN$", "CONIN"),
        ("CONIN$.txt", "CONIN_.txt"),
        ("what?.txt", "what_.txt"),
        ("日本語.txt", "日本語.txt"),
        ("", "unnamed"),
        (" . / .. ", "unnamed"),
        ("\ud800", "unnamed"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("x" * 5000 + ".pdf", "x" * 251 + ".pdf"),
        ("a" * 254 + "." + "b" * 20, "a" * 254),
        ("é" * 300, "é" * 127),
        ("x" * 253 + "é", "x" * 253 + "é"),
        ("x" * 254 + "é", "x" * 254),
        ("x" * 254 + "e\u0323\u0308", "x" * 254),
    ],
)
def test_examples(name: str, safe: str) -> None:
    """What a reader expects, and what attackers try."""
    assert sanitize_filename(name) == safe


@pytest.mark.parametrize("max_bytes", [0, 63, 256])
def test_size_that_makes_no_sense_is_refused(max_bytes: int) -> None:
    """Fewer have no room for an extension, more are written nowhere."""
    with pytest.raises(ValueError, match=r"max_bytes must be from 64 to 255 \(got"):
        sanitize_filename("a", max_bytes=max_bytes)


@settings(deadline=None)
@given(NAMES, SIZES)
def test_unique_name_is_safe_and_unique(name: str, max_bytes: int) -> None:
    """With the extension of the other."""
    one = unique_filename(name, max_bytes=max_bytes)
    two = unique_filename(name, max_bytes=max_bytes)

    assert one.lower() != two.lower()
    assert sanitize_filename(one, max_bytes=max_bytes) == one
    assert file_extension(one) == file_extension(name)
    assert re.search(r"-[0-9a-f]{32}(\.|$)", one)


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("Photo.JPG", "jpg"),
        ("a.tar.gz", "gz"),
        (".bashrc", ""),
        ("file", ""),
        ("file.", ""),
        ("a.b/c", "b_c"),
        ("end. And a sentence follows", ""),
        ("evil.p\u202ehp", "php"),
        ("x.\ud800", ""),
    ],
)
def test_extension(name: str, extension: str) -> None:
    """That of the name under which it is written."""
    assert file_extension(name) == extension


@settings(deadline=None)
@given(NAMES)
def test_extension_is_that_of_the_safe_name(name: str) -> None:
    """So a check of it is a check of what is stored."""
    extension = file_extension(name)
    safe = sanitize_filename(name).lower()

    assert extension == "" or safe.endswith(f".{extension}")
    assert "." not in extension
