"""The buildifier program: one on PATH, else the binary inside the npm package.

A machine with neither still builds: `:buildifier` is then a file that says so, and the
test that needs it skips, or fails where CI is set.
"""

_PACKAGE = "@bazel/buildifier"
_VERSION = "8.2.1"
_SHA256 = "b96ea9b13003036c801f52bee6f9b0314738f8432e5cb9d814c89f59292604ee"

def _arch(rctx):
    return {"aarch64": "arm64", "arm64": "arm64"}.get(rctx.os.arch, "amd64")

def _from_npm(rctx):
    npm = rctx.which("npm")
    if not npm:
        return "neither buildifier nor npm is on PATH"
    result = rctx.execute(
        [npm, "pack", "--silent", "--prefer-offline", "--pack-destination", ".", "%s@%s" % (_PACKAGE, _VERSION)],
        timeout = 120,
    )
    if result.return_code:
        return "npm could not fetch %s: %s" % (_PACKAGE, result.stderr.strip())
    archive = "bazel-buildifier-%s.tgz" % _VERSION

    # An offline "download" of what is already here, for the checksum.
    rctx.download_and_extract(
        "file://%s" % rctx.path(archive),
        output = "npm",
        sha256 = _SHA256,
        stripPrefix = "package",
    )
    rctx.symlink("npm/buildifier-%s_%s" % (rctx.os.name.split(" ")[0].replace("mac", "darwin"), _arch(rctx)), "buildifier")
    return None

def _impl(rctx):
    installed = rctx.which("buildifier")
    if installed:
        rctx.symlink(installed, "buildifier")
    else:
        missing = _from_npm(rctx)
        if missing:
            rctx.file("buildifier", "missing: %s\n" % missing, executable = False)
    rctx.file("BUILD.bazel", 'exports_files(["buildifier"])\n')
    rctx.file("WORKSPACE", "")

buildifier_repository = repository_rule(
    doc = "Makes @name//:buildifier.",
    environ = ["PATH"],
    implementation = _impl,
)
