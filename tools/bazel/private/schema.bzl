"""kernel_schema: the JSON Schemas of one module of DTOs."""

load("@rules_python//python:defs.bzl", "py_binary")
load(":labels.bzl", "EXPORTER", "RUNTIME_DEP", "short_label")

_MAIN = Label("//tools/contracts:module_schemas.py")

def kernel_schema(name, dep, visibility = ["//visibility:public"]):
    """Writes <name>.json, and needs nothing but the module and what that needs.

    Args:
      name: "user_schema".
      dep: The module's target, in this package: ":user" for user.py.
      visibility: As in every rule.
    """
    label = native.package_relative_label(dep)
    module = "%s.%s" % (label.package.replace("/", "."), label.name)
    program = "_%s_export" % name
    py_binary(
        name = program,
        srcs = [_MAIN],
        main = _MAIN,
        tags = [EXPORTER, RUNTIME_DEP + short_label(label)],
        visibility = ["//visibility:private"],
        deps = [
            dep,
            Label("//tools/contracts:bundle"),
            Label("//tools/contracts:dtos"),
            Label("//tools/contracts:models"),
        ],
    )
    native.genrule(
        name = name,
        outs = [name + ".json"],
        cmd = "$(execpath :%s) %s $@" % (program, module),
        tools = [":" + program],
        visibility = visibility,
    )
