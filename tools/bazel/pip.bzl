"""The third-party packages of requirements_lock.txt (WORKSPACE mode)."""

load("@rules_python//python:pip.bzl", "pip_parse")
load("@rules_python//python:repositories.bzl", "py_repositories")

def kernel_pip():
    """Declares @creativeflow_kernel_pypi; `install_deps()` of its requirements.bzl comes next."""
    py_repositories()
    pip_parse(
        name = "creativeflow_kernel_pypi",
        enable_implicit_namespace_pkgs = True,
        incompatible_generate_aliases = True,
        # The user's own pip settings count: an index mirror, certificates, bazelw's wheel cache.
        # Every requirement is pinned by hash, so they can't change what is installed.
        isolated = False,
        python_interpreter_target = "@creativeflow_kernel_python//:bin/python3",
        requirements_lock = Label("//:requirements_lock.txt"),
    )
