"""The rules that BUILD files of this repository are written in. Nothing else is loaded by them.

    kernel_library   one module, or one facade
    kernel_test      a test file run by pytest
    kernel_binary    a program for `bazel run`
    kernel_wheel     a package as a distribution, its requirements derived from the graph
    kernel_schema    the JSON Schemas of a module of DTOs
    service_contract what a service promises: its API, its errors, its events
    kernel_package   the last line of every BUILD file: lint, types and laws for what stands above it
"""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")
load("//tools/bazel/private:contracts.bzl", _service_contract = "service_contract")
load("//tools/bazel/private:graph.bzl", "package_graph")
load("//tools/bazel/private:labels.bzl", "EXPORTER", "RUNTIME_DEP", "short_label")
load("//tools/bazel/private:schema.bzl", _kernel_schema = "kernel_schema")
load("//tools/bazel/private:wheel.bzl", _kernel_umbrella = "kernel_umbrella", _kernel_wheel = "kernel_wheel", _kernel_wheel_index = "kernel_wheel_index")

kernel_schema = _kernel_schema
kernel_umbrella = _kernel_umbrella
kernel_wheel = _kernel_wheel
kernel_wheel_index = _kernel_wheel_index
service_contract = _service_contract

_PYTEST_MAIN = Label("//tools/bazel:pytest_main.py")

def _runtime_tags(runtime_deps):
    return [RUNTIME_DEP + short_label(native.package_relative_label(dep)) for dep in runtime_deps]

def kernel_library(name, srcs, deps = [], runtime_deps = [], data = [], tags = [], **kwargs):
    """Python sources that others import by their label path.

    Args:
      name: The package's own name for its facade, `_module` for a private module.
      srcs: Usually one file.
      deps: What the sources import, each of them directly and none unused.
      runtime_deps: What they need without importing it, such as email-validator behind pydantic.
      data: Files read when the code runs.
      tags: As in every rule.
      **kwargs: visibility, testonly.
    """
    py_library(
        name = name,
        srcs = srcs,
        data = data,
        tags = tags + _runtime_tags(runtime_deps),
        deps = deps + runtime_deps,
        **kwargs
    )

def kernel_binary(name, srcs, main = None, deps = [], runtime_deps = [], tags = [], **kwargs):
    """A program: `bazel run //the:program -- arguments`.

    Args:
      name: What the user types after the colon.
      srcs: The file with the `if __name__ == "__main__":`.
      main: That file, where srcs has several.
      deps: As in kernel_library.
      runtime_deps: As in kernel_library.
      tags: As in every rule.
      **kwargs: args, data, env, visibility, testonly.
    """
    py_binary(
        name = name,
        srcs = srcs,
        main = main or srcs[0],
        tags = tags + _runtime_tags(runtime_deps),
        deps = deps + runtime_deps,
        **kwargs
    )

def kernel_test(name, srcs, deps = [], runtime_deps = [], data = [], args = [], tags = [], **kwargs):
    """A test file run by pytest, with the settings of pyproject.toml.

    `--test_filter=A::b` selects by name, shard_count splits the cases, and a file in which no test
    is found fails. No network, unless tagged "requires-network".

    Args:
      name: The file without its ending: "tests/_exceptions_test".
      srcs: The `*_test.py`, and the conftest.py it uses.
      deps: As in kernel_library. pytest and pytest-asyncio are there already.
      runtime_deps: As in kernel_library.
      data: Files the test reads.
      args: More arguments for pytest.
      tags: As in every rule.
      **kwargs: size, shard_count, env, ...
    """
    py_test(
        name = name,
        srcs = srcs + [_PYTEST_MAIN],
        main = _PYTEST_MAIN,
        args = ["$(rootpath %s)" % src for src in srcs if src.endswith("_test.py")] + args,
        data = data + [Label("//:pyproject.toml")],
        tags = tags + _runtime_tags(runtime_deps),
        deps = deps + runtime_deps + [Label("//third_party:pytest"), Label("//third_party:pytest_asyncio")] + select({
            Label("//tools/coverage:enabled"): [Label("//third_party:coverage")],
            "//conditions:default": [],
        }),
        **kwargs
    )

# What programs leave in a checkout: bytecode, caches, links to Bazel's own output, and what a
# service that runs here keeps beside itself.
_NOT_SOURCES = ["**/__pycache__/**", "**/.*_cache/**", "**/.hypothesis/**", "bazel-*/**/*", "_site/**", "**/_site/**", "_catalogue/**", "**/_catalogue/**", "**/.env", "**/*.db", "**/*.db-*", "**/*.db.*-relay*"]

def kernel_package(elsewhere = []):
    """Declares what every package has, from the targets above the call.

    :tree      every file of the package and of those below it
    :graph     its targets and their deps as JSON, :graphs with those below it
    :lint      ruff check and ruff format --check
    :types     mypy --strict, with the package's declared deps and no others

    A package without this line breaks //:tree, and so the checks of the repository, on purpose.

    Args:
      elsewhere: Files that run in an environment of their own, with packages that are not
        locked here: linted, and not typed.
    """
    targets = [
        name
        for name, rule in native.existing_rules().items()
        if rule["kind"] in ("py_library", "py_binary", "py_test") and EXPORTER not in rule["tags"]
    ]

    below = native.subpackages(include = ["**"], exclude = ["bazel-*/**"], allow_empty = True)
    here = native.package_name()
    prefix = "//%s/" % here if here else "//"
    visibility = ["//:__subpackages__"]
    native.filegroup(
        name = "tree",
        srcs = native.glob(["**"], exclude = _NOT_SOURCES) +
               [prefix + package + ":tree" for package in below],
        visibility = visibility,
    )
    package_graph(
        name = "graph",
        testonly = True,
        # What reads the graph can't be in it.
        targets = [name for name in targets if "//:graphs" not in native.existing_rule(name).get("data", [])],
        visibility = visibility,
    )
    native.filegroup(
        name = "graphs",
        testonly = True,
        srcs = [":graph"] + [prefix + package + ":graphs" for package in below],
        visibility = visibility,
    )

    python = native.glob(["**/*.py"], exclude = _NOT_SOURCES, allow_empty = True)
    if not python:
        return
    _lint("lint", "//tools/lint:ruff_main.py", python, data = [Label("//tools/lint:ruff")], args = ["$(rootpath //tools/lint:ruff)"], size = "small")
    typed = [path for path in python if path not in elsewhere]
    _lint("types", "//tools/lint:mypy_main.py", typed, deps = [":" + name for name in targets] + [
        Label("//third_party:mypy"),
        Label("//third_party:pydantic"),  # its mypy plugin
        Label("//third_party:types_python_jose"),
        Label("//third_party:types_pyyaml"),
    ], size = "medium")

def _lint(name, main, python, args = [], data = [], deps = [], **kwargs):
    py_test(
        name = name,
        srcs = [main],
        main = main,
        args = args + ["$(rootpath %s)" % src for src in python],
        data = data + python + [Label("//:pyproject.toml")],
        tags = ["lint"],
        deps = deps,
        **kwargs
    )
