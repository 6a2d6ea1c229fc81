"""The version of every distribution, the only place it is written.

pyproject.toml reads it from here; MODULE.bazel repeats it, and a test in //tests/wheels compares.
"""

VERSION = "0.1.0"
