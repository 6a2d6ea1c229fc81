"""kernel_wheel: a package as a distribution, its requirements derived from the graph."""

load("//tools/bazel:version.bzl", "VERSION")
load(":distribution.bzl", "distribution_index", "umbrella", distribution_rule = "distribution")

kernel_wheel_index = distribution_index

# The folder of aliases. They resolve to the pip hub, which no wheel holds.
_THIRD_PARTY = "third_party"

def _common(name, distribution, description, readme):
    """The attributes that every wheel has, checked.

    Args:
      name: Of the target.
      distribution: As in kernel_wheel.
      description: As in kernel_wheel.
      readme: Label of the long description.

    Returns:
      A dict of attributes.
    """
    where = "//%s:%s" % (native.package_name(), name)
    canonical = "-".join([part for part in distribution.lower().replace("_", "-").replace(".", "-").split("-") if part])
    if distribution != canonical:
        fail("%s: write the distribution as package indexes do: %r, not %r." % (where, canonical, distribution))
    if not description or "\n" in description:
        fail("%s: the description is one line." % where)
    return dict(
        name = name,
        distribution = distribution,
        license = Label("//:LICENSE"),
        project = Label("//:pyproject.toml"),
        readme = readme,
        requirements = Label("//:requirements.in"),
        summary = description,
        version = VERSION,
    )

def _wheels_behind_this_package(testonly):
    """The `:wheel` of each first-party package that a library of this BUILD file depends on."""
    own = native.package_relative_label("wheel")
    packages = {}
    for declared in native.existing_rules().values():
        deps = declared.get("deps", ())
        if declared["kind"] != "py_library" or (declared.get("testonly") and not testonly) or type(deps) not in ("list", "tuple"):
            continue
        for dep in deps:
            label = native.package_relative_label(dep)
            if label.workspace_name == own.workspace_name and label.package not in (own.package, _THIRD_PARTY):
                packages[label.package] = None
    return ["//%s:wheel" % package for package in sorted(packages)]

def kernel_wheel(name, distribution, description, deps, extras = {}, visibility = ["//visibility:public"], **kwargs):
    """The package as a wheel: its own sources, py.typed, README.md, and derived requirements.

    Stands below the kernel_library targets of its BUILD file.

    Args:
      name: "wheel", the name under which other packages' wheels find it.
      distribution: The name on a package index, such as "creativeflow-shared-errors".
      description: One sentence for the index.
      deps: Targets that everyone who installs the wheel can import.
      extras: Dict of extra to the glue targets that need it: {"fastapi": [":handlers"]}.
      visibility: As in every rule.
      **kwargs: tags, testonly.
    """
    if name != "wheel":
        fail("//%s:%s: a package has one wheel, and its name is \"wheel\"." % (native.package_name(), name))
    typed = native.glob(["py.typed"], allow_empty = True)
    if not typed:
        fail("//%s:wheel: the package has no py.typed, so type checkers would ignore its annotations." % native.package_name())
    extra_of = {}
    for extra, targets in extras.items():
        for target in targets:
            if target in extra_of:
                fail("//%s:wheel: %s is in the extras %r and %r; name it in one." % (native.package_name(), target, extra_of[target], extra))
            extra_of[target] = extra
    distribution_rule(
        deps = deps,
        extras = extra_of,
        first_party = _wheels_behind_this_package(kwargs.get("testonly", False)),
        typed = typed,
        visibility = visibility,
        **(_common(name, distribution, description, "README.md") | kwargs)
    )

def kernel_umbrella(name, distribution, description, wheels, visibility = ["//visibility:public"], **kwargs):
    """One wheel with the content of several, for those who want a single thing to install.

    Its extras are theirs, merged by name.

    Args:
      name: Of the target.
      distribution: The name on a package index.
      description: One sentence for the index.
      wheels: kernel_wheel targets.
      visibility: As in every rule.
      **kwargs: tags, testonly.
    """
    umbrella(
        wheels = wheels,
        visibility = visibility,
        **(_common(name, distribution, description, Label("//:README.md")) | kwargs)
    )
