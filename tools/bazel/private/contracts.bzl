"""service_contract: what one service promises to others."""

load("@rules_python//python:defs.bzl", "py_binary")
load(":labels.bzl", "EXPORTER", "RUNTIME_DEP", "short_label")

_MAIN = Label("//tools/contracts:service.py")

# What service.py imports.
_DEPS = [
    Label("//shared/app"),
    Label("//shared/app:messaging"),
    Label("//shared/dtos:base"),
    Label("//shared/errors"),
    Label("//shared/events"),
    Label("//shared/messaging"),
    Label("//shared/messaging:topology"),
    Label("//third_party:starlette"),
    Label("//tools/contracts:bundle"),
    Label("//tools/contracts:declared"),
    Label("//tools/contracts:differences"),
    Label("//tools/contracts:errors"),
    Label("//tools/contracts:inventory"),
    Label("//tools/contracts:models"),
    Label("//tools/contracts:openapi"),
    Label("//tools/contracts:vectors"),
    Label("//tools/contracts:verified"),
]

def service_contract(name, module, deps, visibility = ["//contracts:__pkg__"]):
    """Writes <name>.json in a process that has no other service's code.

    The bundle has it once its label is in the list of services of //contracts.

    Args:
      name: "contract".
      module: Has `service()` and `PUBLISHES`, see //tools/contracts:service.py: "examples.accounts.contract".
      deps: The target of the module.
      visibility: As in every rule.
    """
    program = "_%s_export" % name
    labels = [native.package_relative_label(dep) for dep in deps]
    py_binary(
        name = program,
        srcs = [_MAIN],
        main = _MAIN,
        tags = [EXPORTER] + [RUNTIME_DEP + short_label(label) for label in labels],
        visibility = ["//visibility:private"],
        deps = _DEPS + [label for label in labels if label not in _DEPS],
    )
    native.genrule(
        name = name,
        outs = [name + ".json"],
        cmd = "$(execpath :%s) %s --target %s --out $@" % (
            program,
            module,
            short_label(native.package_relative_label(name)),
        ),
        tools = [":" + program],
        visibility = visibility,
    )
