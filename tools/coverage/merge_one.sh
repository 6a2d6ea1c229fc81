#!/bin/sh
# Bazel's coverage step after each test: joins the tracefiles that pytest_main.py wrote. In
# shell because Bazel runs it inside the test's sandbox without runfiles, which a Python
# program of ours needs; tracefiles may simply stand one after the other.
set -eu
for argument in "$@"; do
  case $argument in
    --coverage_dir=*) folder=${argument#*=} ;;
    --output_file=*) out=${argument#*=} ;;
  esac
done
find "$folder" -name '*.dat' ! -path "$out" -exec cat {} + >"$out.all"
mv "$out.all" "$out"
