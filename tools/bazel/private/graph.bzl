"""The targets of one package and what they reach, as JSON for //tools/checks.

An object with one entry a target: label, kind, srcs, deps (as written, aliases kept apart),
runtime_deps, reaches (every first-party label and third-party distribution behind it), testonly.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":labels.bzl", "distribution_of", "runtime_deps_of", "short_label")

ReachInfo = provider("What a Python target needs, directly or not.", fields = {
    "first_party": "depset of labels of this repository",
    "third_party": "depset of names of third-party distributions",
})

def _deps(rule):
    return [dep for dep in getattr(rule.attr, "deps", []) if PyInfo in dep]

def _reach_impl(target, ctx):
    deps = [dep[ReachInfo] for dep in _deps(ctx.rule) if ReachInfo in dep]
    external = target.label.workspace_name
    own = ctx.rule.kind in ("py_library", "py_binary", "py_test")
    return [ReachInfo(
        first_party = depset(
            [short_label(target.label)] if own and not external else [],
            transitive = [dep.first_party for dep in deps],
        ),
        third_party = depset(
            [distribution_of(external)] if own and external else [],
            transitive = [dep.third_party for dep in deps],
        ),
    )]

reach = aspect(
    doc = "Collects ReachInfo along deps.",
    attr_aspects = ["deps", "actual"],
    implementation = _reach_impl,
)

TargetInfo = provider("One Python target as its BUILD file declares it.", fields = ["json"])

def _describe_impl(target, ctx):
    info = target[ReachInfo]
    return [TargetInfo(json = struct(
        label = short_label(target.label),
        kind = ctx.rule.kind,
        srcs = [f.short_path for f in getattr(ctx.rule.files, "srcs", [])],
        deps = [short_label(dep.label) for dep in _deps(ctx.rule)],
        runtime_deps = runtime_deps_of(ctx.rule.attr.tags),
        first_party = sorted(info.first_party.to_list()),
        third_party = sorted(info.third_party.to_list()),
        testonly = ctx.rule.attr.testonly,
    ))]

describe = aspect(
    doc = "Describes a target for the graph file.",
    implementation = _describe_impl,
    requires = [reach],
)

def _package_graph_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(out, json.encode_indent([target[TargetInfo].json for target in ctx.attr.targets]) + "\n")
    return [DefaultInfo(files = depset([out]))]

package_graph = rule(
    doc = "Writes the graph of `targets` to <name>.json.",
    implementation = _package_graph_impl,
    attrs = {"targets": attr.label_list(aspects = [describe])},
)
