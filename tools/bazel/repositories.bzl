"""The repositories that must exist before anything else can be loaded (WORKSPACE mode)."""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
load("@bazel_tools//tools/build_defs/repo:utils.bzl", "maybe")
load(":buildifier.bzl", "buildifier_repository")
load(":host_python.bzl", "host_python")
load(":npm.bzl", "npm_repository")

_OLDEST = (7, 7)
_NEWEST = 8

def check_bazel_version(version):
    """Fails where the WORKSPACE mode does not work.

    Args:
      version: What the running Bazel says it is. A development or distribution build says
        nothing; .bazelversion and bazelw look after those.
    """
    parts = version.split("-")[0].split(".")
    if len(parts) < 2:
        return
    number = (int(parts[0]), int(parts[1]))
    if number < _OLDEST or number[0] > _NEWEST:
        fail("\n\nThis is Bazel %s; the WORKSPACE mode of this repository needs 7.7 to 8.x. " % version +
             "Run ./bazelw, which gets the right one, or install the version in .bazelversion.\n")

def kernel_repositories():
    """Declares rules_python, the Python interpreter and its toolchain, buildifier and npm's packages.

    The first call in a WORKSPACE; `kernel_pip()` of pip.bzl is the second.
    """
    check_bazel_version(native.bazel_version)

    # What Debian packages too. A repository of this name that is declared earlier, or given by
    # --override_repository, wins.
    maybe(
        http_archive,
        name = "rules_python",
        sha256 = "a5640fddd4beb03e8c1fde5ed7160c0ba6bd477e7d048661c30c06936a26fd63",
        strip_prefix = "rules_python-0.22.1",
        url = "https://github.com/bazelbuild/rules_python/releases/download/0.22.1/rules_python-0.22.1.tar.gz",
    )
    maybe(host_python, name = "creativeflow_kernel_python")
    maybe(buildifier_repository, name = "creativeflow_kernel_buildifier")
    maybe(npm_repository, name = "creativeflow_kernel_npm")
    native.register_toolchains("@creativeflow_kernel_python//:all")
