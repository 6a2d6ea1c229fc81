"""An aspect that makes a BUILD file tell the truth about imports.

Every import in a target's own sources must be covered by a direct dep, the standard library or the
target itself, and every dep must be imported. Switched on for each build by .bazelrc.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//tools/bazel/private:labels.bzl", "runtime_deps_of", "short_label")

# What the macros give every test: programs with deps of their own, and what those need.
_RUNNERS = [
    Label("//tools/bazel:pytest_main.py"),
    Label("//tools/lint:mypy_main.py"),
    Label("//tools/lint:ruff_main.py"),
]
_IMPLIED = ["//third_party:coverage", "//third_party:pytest", "//third_party:pytest_asyncio"]

def _modules(dep):
    files = dep[DefaultInfo].files.to_list()
    if dep.label.workspace_name:
        # Compiled modules are data of a wheel, and in its runfiles only.
        files = files + [
            f
            for f in dep[DefaultInfo].default_runfiles.files.to_list()
            if f.owner.workspace_name == dep.label.workspace_name
        ]
    return {f.short_path: None for f in files if f.extension in ("py", "so")}.keys()

def _strict_deps_impl(target, ctx):
    if ctx.rule.kind not in ("py_library", "py_test", "py_binary") or target.label.workspace_name:
        return []
    runners = _RUNNERS if ctx.rule.kind == "py_test" else []
    srcs = [f for f in ctx.rule.files.srcs if f.extension == "py" and f.owner not in runners]
    if not srcs:
        return []
    not_imported = (_IMPLIED if runners else []) + runtime_deps_of(ctx.rule.attr.tags)
    spec = {
        "label": short_label(target.label),
        "build_file": ctx.build_file_path,
        "workspace": ctx.workspace_name,
        "roots": target[PyInfo].imports.to_list(),
        "srcs": [{"path": f.path, "runfile": f.short_path} for f in srcs],
        "deps": [
            {
                "label": short_label(dep.label),
                "foreign": bool(dep.label.workspace_name),
                "modules": _modules(dep),
                "runtime": short_label(dep.label) in not_imported,
            }
            for dep in ctx.rule.attr.deps
            if PyInfo in dep
        ],
        "transitive": [f.short_path for f in target[PyInfo].transitive_sources.to_list() if not f.short_path.startswith("../")],
    }
    given = ctx.actions.declare_file(target.label.name + ".strict_deps.json")
    done = ctx.actions.declare_file(target.label.name + ".strict_deps.ok")
    ctx.actions.write(given, json.encode(spec))
    ctx.actions.run(
        arguments = [given.path, done.path],
        executable = ctx.executable._check,
        inputs = depset([given] + srcs),
        mnemonic = "StrictDeps",
        outputs = [done],
        progress_message = "Checking the imports of %{label}",
    )
    return [OutputGroupInfo(_validation = depset([done]))]

strict_deps = aspect(
    doc = "Fails the build where imports and deps differ.",
    implementation = _strict_deps_impl,
    attrs = {"_check": attr.label(cfg = "exec", default = "//tools/bazel:strict_deps", executable = True)},
)
