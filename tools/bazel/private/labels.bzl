"""What a label says about where a target comes from."""

_HUB = "creativeflow_kernel_pypi_"

# A dep that is needed when the program runs but that no file imports, as a tag on the target.
RUNTIME_DEP = "runtime_dep="

# A program that a rule makes for one build action: not part of the package's own graph, in which
# the kernel would depend on tools/.
EXPORTER = "exporter"

def distribution_of(repository):
    """Names the third-party package a repository holds, "" if it is none.

    "creativeflow_kernel_pypi_python_jose" and bzlmod's
    "rules_python++pip+creativeflow_kernel_pypi_311_python_jose" are both "python_jose".

    Args:
      repository: The repository's canonical name.

    Returns:
      The name with underscores, as in //third_party.
    """
    _, found, name = repository.rpartition(_HUB)
    if not found:
        return ""
    version, _, rest = name.partition("_")
    return rest if version.isdigit() else name

def short_label(label):
    """Spells a label as a BUILD file would: //shared/errors:handlers or //third_party:pydantic.

    Args:
      label: A Label, canonical repository and all.

    Returns:
      The same string in WORKSPACE and bzlmod mode.
    """
    distribution = distribution_of(label.workspace_name)
    if distribution:
        return "//third_party:" + distribution
    if label.workspace_name:
        return str(label)
    return "//%s:%s" % (label.package, label.name)

def runtime_deps_of(tags):
    """The short labels among a target's tags."""
    return [tag[len(RUNTIME_DEP):] for tag in tags if tag.startswith(RUNTIME_DEP)]
