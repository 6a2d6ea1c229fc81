"""Node and the npm packages that contracts/typescript/package-lock.json names.

    :node               the program, from a package of the lock; on other machines than that has
                        one for, the one on PATH
    :node_modules.tar   every package: one file, as a sandbox is slow with thousands of them

A machine without npm still builds: both are then a file that begins with "missing: " and says
what is. Nothing here is fetched before something asks for it.
"""

_MISSING = "missing: %s\n"
_OUTPUTS = ["node", "node_modules.tar"]

# Not read when a program runs. Node has a file of its own.
_LEFT_OUT = [
    "*.map",
    "*.md",
    ".package-lock.json",
    "./node-bin-*",
    "./node-darwin-*",
    "./node-linux-*",
]

# The same bytes on every machine of a kind. BSD's tar lacks these options; there the
# order is that of the folders.
_GNU_TAR = [
    "--format=gnu",
    "--group=0",
    "--mode=u=rwX,go=rX",
    "--mtime=@0",
    "--numeric-owner",
    "--owner=0",
    "--sort=name",
]

def _install(rctx):
    """Makes both files, or says what is missing."""
    npm = rctx.which("npm")
    tar = rctx.which("tar")
    if not npm or not tar:
        return "npm or tar is not on PATH"
    for label in (rctx.attr.package, rctx.attr.lock):
        rctx.file(label.name, rctx.read(label), executable = False)

    # No script of a package runs. What npm has in its cache is not fetched again.
    result = rctx.execute(
        [
            npm,
            "ci",
            "--ignore-scripts",
            "--include=dev",
            "--include=optional",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--prefer-offline",
        ],
        timeout = 600,
    )
    if result.return_code:
        return "npm ci failed: %s" % _one_line(result.stderr)
    node = _node(rctx)
    if not node:
        return "package-lock.json has no Node for this machine, and none is on PATH"
    rctx.symlink(node, "node")

    gnu = "GNU" in rctx.execute([tar, "--version"]).stdout
    result = rctx.execute(
        [tar, "-C", "node_modules", "-cf", "node_modules.tar"] +
        (_GNU_TAR if gnu else []) +
        ["--exclude=" + name for name in _LEFT_OUT] +
        ["."],
    )
    if result.return_code:
        return "tar failed: %s" % _one_line(result.stderr)
    for package in rctx.path("node_modules").readdir():
        if not _has_node(package):
            rctx.delete(package)
    return None

def _one_line(text):
    return "; ".join([line.strip() for line in text.splitlines() if line.strip()])

def _has_node(package):
    return package.basename.startswith("node-") and package.get_child("bin").get_child("node").exists

def _node(rctx):
    for package in rctx.path("node_modules").readdir():
        if _has_node(package):
            return package.get_child("bin").get_child("node")
    return rctx.which("node")

def _impl(rctx):
    missing = _install(rctx)
    if missing:
        for name in _OUTPUTS:
            rctx.delete(name)
            rctx.file(name, _MISSING % missing, executable = False)
    rctx.file("BUILD.bazel", "exports_files(%s)\n" % json.encode(_OUTPUTS))
    rctx.file("WORKSPACE", "")

npm_repository = repository_rule(
    doc = "Makes @name//:node and @name//:node_modules.tar.",
    attrs = {
        "lock": attr.label(default = Label("//contracts/typescript:package-lock.json")),
        "package": attr.label(default = Label("//contracts/typescript:package.json")),
    },
    environ = ["PATH"],
    implementation = _impl,
)
