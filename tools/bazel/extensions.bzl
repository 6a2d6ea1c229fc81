"""The repositories of the host (bzlmod mode)."""

load(":buildifier.bzl", "buildifier_repository")
load(":host_python.bzl", "host_python")
load(":npm.bzl", "npm_repository")

def _host_impl(_ctx):
    buildifier_repository(name = "creativeflow_kernel_buildifier")
    host_python(name = "creativeflow_kernel_python")
    npm_repository(name = "creativeflow_kernel_npm")

host = module_extension(
    doc = "The machine's Python interpreter, the buildifier program and npm's packages.",
    implementation = _host_impl,
)
