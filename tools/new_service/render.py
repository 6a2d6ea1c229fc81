"""The files of a service, from the templates and the answers."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.new_service import quoting
from tools.new_service.answers import FILE, Answers, Remembered

TEMPLATES = Path(__file__).parent / "templates" / "service"
_ENDING = ".jinja"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        # None of it is HTML; each place has the filter of its own language.
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        compose=quoting.compose,
        dockerfile=quoting.dockerfile,
        markdown=quoting.markdown,
        python=quoting.python,
        quoted=quoting.quoted,
    )
    environment.globals.update(
        python_constant=quoting.python_constant,
        python_list=quoting.python_list,
    )
    return environment


def render(answers: Answers) -> dict[str, str]:
    """The text of each file, by its path inside the service's folder."""
    environment = _environment()

    def own_import(module: str, *names: str) -> str:
        package = f"services.{answers.names.package}"
        return quoting.python_import(f"{package}.{module}", *names)

    files = {
        name.removesuffix(_ENDING): environment.get_template(name).render(
            names=answers.names,
            port=answers.port,
            title=answers.title,
            description=answers.description,
            own_import=own_import,
        )
        for name in environment.list_templates()
        if name.endswith(_ENDING)
    }
    digests = {path: digest(text) for path, text in files.items()}
    files[FILE] = Remembered(answers=answers, digests=digests).to_toml()
    return dict(sorted(files.items()))


def digest(text: str) -> str:
    """What the service remembers of a file."""
    return hashlib.sha256(text.encode()).hexdigest()
