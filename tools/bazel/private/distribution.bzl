"""The rules behind kernel_wheel: sources of a package, and the graph they stand in, as a wheel.

Starlark only collects the graph; //tools/wheel decides what it means, so that the decisions have
unit tests. docs/wheels.md explains what is derived from what.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":labels.bzl", "distribution_of")

_PYPI_NAME = "pypi_name="

_PieceInfo = provider("What one Python target adds to a wheel.", fields = {
    "pypi_name": "name of the third-party distribution it stands for, \"\" for our own",
    "targets": "depset of structs: this target and every first-party one behind it",
})

DistributionInfo = provider("A wheel and what went into it.", fields = {
    "distribution": "its name on a package index",
    "files": "depset of Files it holds, beside its metadata",
    "label": "of the target that builds it",
    "packages": "list of Bazel packages whose sources it holds",
    "roots": "dict of extra (\"\" is the wheel without extras) to list of labels",
    "targets": "depset of structs, as in _PieceInfo",
    "umbrella": "whether it repeats what other wheels hold",
    "version": "its version",
    "wheel": "the File",
})

def _pypi_name(label, tags):
    for tag in tags:
        if tag.startswith(_PYPI_NAME):
            return tag[len(_PYPI_NAME):]
    return distribution_of(label.workspace_name)

def _local(label):
    """The label inside its repository, the same when that repository is someone's dependency."""
    return "//%s:%s" % (label.package, label.name)

def _piece_impl(target, ctx):
    if PyInfo not in target:
        return []
    pypi_name = _pypi_name(target.label, ctx.rule.attr.tags)
    if pypi_name:
        return [_PieceInfo(pypi_name = pypi_name, targets = depset())]
    deps = [dep for dep in getattr(ctx.rule.attr, "deps", []) if _PieceInfo in dep]
    this = struct(
        build_file = ctx.build_file_path,
        files = tuple(getattr(ctx.rule.files, "srcs", []) + getattr(ctx.rule.files, "data", [])),
        label = _local(target.label),
        needs = tuple([_local(dep.label) for dep in deps if not dep[_PieceInfo].pypi_name]),
        package = target.label.package,
        repository = target.label.workspace_name,
        requires = tuple([dep[_PieceInfo].pypi_name for dep in deps if dep[_PieceInfo].pypi_name]),
    )
    return [_PieceInfo(
        pypi_name = "",
        targets = depset([this], transitive = [dep[_PieceInfo].targets for dep in deps]),
    )]

_piece = aspect(
    doc = "Collects first-party targets, their files and their direct deps.",
    attr_aspects = ["deps"],
    implementation = _piece_impl,
)

def _path_in_wheel(file):
    path = file.short_path
    return path.split("/", 2)[2] if path.startswith("../") else path

def _describe_target(target):
    return struct(
        build_file = target.build_file,
        files = [_path_in_wheel(file) for file in target.files],
        label = target.label,
        needs = target.needs,
        package = target.package,
        requires = target.requires,
    )

def _describe_distribution(info):
    return struct(
        distribution = info.distribution,
        packages = info.packages,
        roots = info.roots,
        version = info.version,
    )

def _own_files(ctx, targets):
    """The files of this package's targets.

    Args:
      ctx: The rule's context.
      targets: List of structs of _PieceInfo.

    Returns:
      A list of Files.
    """
    found = []
    for target in targets:
        if target.repository != ctx.label.workspace_name:
            fail("%s depends on %s of the repository %s, which is no pip package: no distribution is known for it." % (
                _local(ctx.label),
                target.label,
                target.repository,
            ))
        if target.package != ctx.label.package:
            continue
        for file in target.files:
            if file.owner.package != target.package:
                fail("%s: %s has the file %s of another package, which its wheel can't hold." % (
                    target.build_file,
                    target.label,
                    file.short_path,
                ))
            found.append(file)
    return found

def _pack(ctx, packages, roots, targets, files, others, umbrella):
    """Declares the action that writes the wheel.

    Args:
      ctx: The rule's context.
      packages: Bazel packages whose sources are in the wheel.
      roots: Dict of extra to labels.
      targets: depset of structs of _PieceInfo.
      files: depset of Files to hold.
      others: DistributionInfos of wheels that may be required.
      umbrella: Goes into DistributionInfo.

    Returns:
      The rule's providers.
    """
    stem = "%s-%s-py3-none-any" % (ctx.attr.distribution.replace("-", "_"), ctx.attr.version)
    wheel = ctx.actions.declare_file(stem + ".whl")
    info = DistributionInfo(
        distribution = ctx.attr.distribution,
        files = files,
        label = _local(ctx.label),
        packages = packages,
        roots = roots,
        targets = targets,
        umbrella = umbrella,
        version = ctx.attr.version,
        wheel = wheel,
    )
    known = depset(transitive = [targets] + [other.targets for other in others])
    spec = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(spec, json.encode(struct(
        distributions = [_describe_distribution(other) for other in [info] + others],
        files = {_path_in_wheel(file): file.path for file in files.to_list()},
        label = _local(ctx.label),
        license_file = ctx.file.license.path,
        project = ctx.file.project.path,
        readme = ctx.file.readme.path,
        requirements = ctx.file.requirements.path,
        summary = ctx.attr.summary,
        targets = [_describe_target(target) for target in known.to_list()],
    )))
    ctx.actions.run(
        arguments = [spec.path, wheel.path],
        executable = ctx.executable._wheelmaker,
        inputs = depset(
            [spec, ctx.file.license, ctx.file.project, ctx.file.readme, ctx.file.requirements],
            transitive = [files],
        ),
        mnemonic = "Wheel",
        outputs = [wheel],
        progress_message = "Packing %{label}",
    )
    return [
        DefaultInfo(files = depset([wheel]), runfiles = ctx.runfiles([wheel])),
        info,
    ]

_ATTRS = {
    "distribution": attr.string(mandatory = True),
    "license": attr.label(allow_single_file = True, mandatory = True),
    "project": attr.label(allow_single_file = True, mandatory = True),
    "readme": attr.label(allow_single_file = True, mandatory = True),
    "requirements": attr.label(allow_single_file = True, mandatory = True),
    "summary": attr.string(mandatory = True),
    "version": attr.string(mandatory = True),
    "_wheelmaker": attr.label(cfg = "exec", default = "//tools/wheel:wheelmaker", executable = True),
}

def _distribution_impl(ctx):
    roots = {"": [_local(dep.label) for dep in ctx.attr.deps]}
    for dep, extra in ctx.attr.extras.items():
        roots.setdefault(extra, []).append(_local(dep.label))
    targets = depset(transitive = [
        dep[_PieceInfo].targets
        for dep in ctx.attr.deps + ctx.attr.extras.keys()
    ])
    return _pack(
        ctx,
        packages = [ctx.label.package],
        roots = roots,
        targets = targets,
        files = depset(_own_files(ctx, targets.to_list()) + ctx.files.typed),
        others = [other[DistributionInfo] for other in ctx.attr.first_party],
        umbrella = False,
    )

distribution = rule(
    doc = "Packs the sources of one Bazel package.",
    implementation = _distribution_impl,
    attrs = _ATTRS | {
        "deps": attr.label_list(aspects = [_piece], mandatory = True, providers = [PyInfo]),
        "extras": attr.label_keyed_string_dict(aspects = [_piece], providers = [PyInfo]),
        "first_party": attr.label_list(providers = [DistributionInfo]),
        "typed": attr.label_list(allow_files = True),
    },
    provides = [DistributionInfo],
)

def _umbrella_impl(ctx):
    members = [member[DistributionInfo] for member in ctx.attr.wheels]
    roots = {}
    for member in members:
        for extra, labels in member.roots.items():
            roots[extra] = roots.get(extra, []) + labels
    return _pack(
        ctx,
        packages = [package for member in members for package in member.packages],
        roots = roots,
        targets = depset(transitive = [member.targets for member in members]),
        files = depset(transitive = [member.files for member in members]),
        others = [],
        umbrella = True,
    )

umbrella = rule(
    doc = "Packs what several wheels hold into one.",
    implementation = _umbrella_impl,
    attrs = _ATTRS | {
        "wheels": attr.label_list(mandatory = True, providers = [DistributionInfo]),
    },
    provides = [DistributionInfo],
)

def _distribution_index_impl(ctx):
    wheels = [wheel[DistributionInfo] for wheel in ctx.attr.wheels]
    locked = depset(transitive = [
        files
        for dep in ctx.attr.third_party
        for files in [dep[DefaultInfo].files, dep[DefaultInfo].default_runfiles.files, dep[DefaultInfo].data_runfiles.files]
    ])
    out = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(out, json.encode_indent(struct(
        distributions = [
            struct(
                distribution = wheel.distribution,
                label = wheel.label,
                packages = wheel.packages,
                roots = wheel.roots,
                umbrella = wheel.umbrella,
                version = wheel.version,
                wheel = wheel.wheel.short_path,
            )
            for wheel in wheels
        ],
        targets = [
            _describe_target(target)
            for target in depset(transitive = [wheel.targets for wheel in wheels]).to_list()
        ],
        third_party = sorted([file.short_path for file in locked.to_list() if file.extension == "whl"]),
    )) + "\n")
    return [DefaultInfo(
        files = depset([out]),
        runfiles = ctx.runfiles([out] + [wheel.wheel for wheel in wheels], transitive_files = locked),
    )]

distribution_index = rule(
    doc = """Lists wheels, what they are made of and the locked third-party wheels, as JSON.

All paths are relative to the runfiles folder of this repository. The wheels are in the runfiles.""",
    implementation = _distribution_index_impl,
    attrs = {
        "third_party": attr.label_list(doc = "Filegroups of locked wheels."),
        "wheels": attr.label_list(mandatory = True, providers = [DistributionInfo]),
    },
)
