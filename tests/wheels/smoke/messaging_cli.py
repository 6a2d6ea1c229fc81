"""The command line says in one line that there is no broker, and no password."""

import socket
import subprocess
import sys

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

done = subprocess.run(
    [sys.executable, "-m", "shared.messaging.cli", "queues"],
    env={"RABBITMQ_URL": f"amqp://ann:hunter2@127.0.0.1:{port}/"},
    capture_output=True,
    text=True,
    check=False,
)
assert done.returncode == 1
assert done.stdout == ""
assert done.stderr.startswith("messaging: No connection to RabbitMQ at 127.0.0.1:")
assert "hunter2" not in done.stderr
