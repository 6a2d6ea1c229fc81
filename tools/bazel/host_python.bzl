"""A Python toolchain around the machine's own interpreter, without its site-packages.

An interpreter named by path (`py_runtime(interpreter_path = ...)`) brings every package the host
has installed. This one is the `bin/python3` of a virtual environment with nothing in it, so a test
sees its declared deps and the standard library. No absolute path is in a cache key, so caches hit
from any checkout.
"""

_BUILD = """\
load("@rules_python//python:defs.bzl", "py_runtime", "py_runtime_pair")

exports_files(["bin/python3"])

py_runtime(
    name = "runtime",
    files = ["pyvenv.cfg"],
    interpreter = "bin/python3",
    python_version = "PY3",
    visibility = ["//visibility:public"],
)

py_runtime_pair(
    name = "runtimes",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

# rules_python 1.x runs its own tools on a second toolchain, and would download an interpreter for it.
_EXEC_TOOLS = """
load("@rules_python//python:py_exec_tools_toolchain.bzl", "py_exec_tools_toolchain")

py_exec_tools_toolchain(name = "exec_tools")  # its interpreter is the one above

toolchain(
    name = "exec_tools_toolchain",
    toolchain = ":exec_tools",
    toolchain_type = "@rules_python//python:exec_tools_toolchain_type",
)
"""

_MINIMUM = (3, 11)
_CANDIDATES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
_PROBE = """
import sys, os
print(os.path.realpath(sys.executable))
print(sys.base_prefix)
print('%d.%d.%d' % sys.version_info[:3])
"""

def _probe(rctx, exe):
    result = rctx.execute([exe, "-I", "-S", "-c", _PROBE])
    if result.return_code:
        return None
    real, prefix, version = result.stdout.strip().split("\n")
    return struct(real = real, prefix = prefix, version = version)

def _fits(found):
    return tuple([int(n) for n in found.version.split(".")[:2]]) >= _MINIMUM

def _find(rctx):
    chosen = rctx.os.environ.get("KERNEL_PYTHON")
    if chosen:
        found = _probe(rctx, chosen)
        if not found:
            fail("KERNEL_PYTHON is %s, which does not run. Point it at a Python 3.11 or newer." % chosen)
        if not _fits(found):
            fail("KERNEL_PYTHON is %s, which is Python %s; 3.11 or newer is needed." % (chosen, found.version))
        return found
    seen = []
    for name in _CANDIDATES:
        exe = rctx.which(name)
        found = _probe(rctx, exe) if exe else None
        if found and _fits(found):
            return found
        if found:
            seen.append("%s is %s" % (name, found.version))
    fail("Python 3.11 or newer is needed and none is on PATH (%s). " % (", ".join(seen) or "no Python at all") +
         "Install one, or set KERNEL_PYTHON to its path.")

def _impl(rctx):
    found = _find(rctx)
    rctx.symlink(found.real, "bin/python3")
    rctx.file("pyvenv.cfg", "home = %s/bin\ninclude-system-site-packages = false\nversion = %s\n" % (found.prefix, found.version))

    # rules_python 0.22.1 has no such toolchain type.
    exec_tools = rctx.path(Label("@rules_python//python:BUILD.bazel")).dirname.get_child("py_exec_tools_toolchain.bzl")
    rctx.file("BUILD.bazel", _BUILD + (_EXEC_TOOLS if exec_tools.exists else ""))

    # From 1.6 on it evaluates the markers of the lock with PYTHONHOME at the interpreter's folder.
    if exec_tools.exists:
        rctx.symlink(found.prefix + "/lib", "bin/lib")
    rctx.file("WORKSPACE", "")

host_python = repository_rule(
    doc = "Finds KERNEL_PYTHON, else a Python 3.11 or newer on PATH, and makes a toolchain of it.",
    environ = ["KERNEL_PYTHON", "PATH"],
    implementation = _impl,
    local = True,
)
