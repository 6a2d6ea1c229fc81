"""Placeholder until the wheel rule lands."""

def kernel_wheel(name, distribution, description, deps, extras = {}):
    pass
