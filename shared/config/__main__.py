"""Show the settings of a service: what they are, and where each comes from.

    ./bazelw run //shared/config:explain -- my-service
    python -m shared.config my-service              where the wheel is installed

It ends with 1 and all problems if the service would not start with them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import import_module

from shared.config import (
    ConfigurationError,
    ExplainedSetting,
    ServiceConfig,
    explain_config,
    render_env_example,
    render_markdown,
)
from shared.config._tree import settings_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    # `bazel run` starts programs elsewhere; paths and .env are the caller's.
    if directory := os.environ.get("BUILD_WORKING_DIRECTORY"):
        os.chdir(directory)
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        model = _model(options.model) if options.model else ServiceConfig
    except _UsageError as error:
        parser.error(str(error))
    if options.format == "env-example":
        sys.stdout.write(render_env_example(model))
        return 0
    if options.format == "markdown":
        sys.stdout.write(render_markdown(model))
        return 0
    places = {
        name: value
        for name in ("env_file", "secrets_dir")
        if (value := getattr(options, name)) is not None
    }
    try:
        explanation = explain_config(options.service, model, **places)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.format == "json":
        settings = [asdict(setting) for setting in explanation.settings]
        sys.stdout.write(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_table(explanation.settings))
    for note in explanation.notes:
        sys.stderr.write(f"note: {note}\n")
    return 0


class _UsageError(Exception):
    pass


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="explain",
        description="Show each setting of a service, its value and its origin. "
        "Secrets are masked.",
        epilog="Exit codes: 0, 1 if the service would not start with these settings, "
        "2 for a wrong command line.",
    )
    parser.add_argument("service", help="name of the service, such as subject-service")
    parser.add_argument(
        "--format",
        choices=("table", "env-example", "markdown", "json"),
        default="table",
        help="env-example and markdown document the settings and read none",
    )
    parser.add_argument(
        "--model",
        metavar="package.module:Class",
        help="the service's own settings, a subclass of ServiceConfig",
    )
    parser.add_argument(
        "--env-file", metavar="PATH", help="instead of .env in the working directory"
    )
    parser.add_argument(
        "--secrets-dir", metavar="PATH", help="instead of SECRETS_DIR or /run/secrets"
    )
    return parser


def _model(text: str) -> type[ServiceConfig]:
    module_name, _, class_name = text.partition(":")
    if not module_name or not class_name:
        raise _UsageError("--model is written package.module:Class.")
    # Behind what is there: the packages of this program stay its own.
    for folder in (os.environ.get("BUILD_WORKSPACE_DIRECTORY"), os.getcwd()):
        if folder and folder not in sys.path:
            sys.path.append(folder)
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise _UsageError(f"--model: {error}") from None
    except Exception as error:
        # Its text may quote a setting.
        kind = type(error).__name__
        raise _UsageError(f"--model: {module_name} stopped with {kind}.") from None
    model = getattr(module, class_name, None)
    if not isinstance(model, type) or not issubclass(model, ServiceConfig):
        raise _UsageError(f"--model: {text} is no subclass of ServiceConfig.")
    try:
        settings_of(model)
    except TypeError as error:
        raise _UsageError(f"--model: {error}") from None
    return model


def _table(settings: Iterable[ExplainedSetting]) -> str:
    rows = [("SETTING", "VALUE", "ORIGIN")]
    for setting in settings:
        origin = setting.origin
        if setting.variable not in (None, setting.name):
            origin += f" ({setting.variable})"
        rows.append((setting.name, setting.value or "-", origin))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = (
        f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}"
        for name, value, origin in rows
    )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
