"""The snippet of the specification, and a name that was no good."""

from uuid import UUID

from shared.utils import CircuitBreaker, generate_uuid, sanitize_filename, uuid7

assert UUID(generate_uuid()).version == 4
assert uuid7() < uuid7()
assert sanitize_filename("my file.pdf") == "my_file.pdf"
assert sanitize_filename("../../etc/passwd") == "etc_passwd"

breaker = CircuitBreaker()
assert breaker.call(max, 1, 2) == 2
