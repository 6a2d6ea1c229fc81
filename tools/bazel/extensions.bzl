"""The repositories of the host (bzlmod mode)."""

load(":buildifier.bzl", "buildifier_repository")
load(":host_python.bzl", "host_python")

def _host_impl(_ctx):
    buildifier_repository(name = "creativeflow_kernel_buildifier")
    host_python(name = "creativeflow_kernel_python")

host = module_extension(
    doc = "The machine's Python interpreter and the buildifier program.",
    implementation = _host_impl,
)
