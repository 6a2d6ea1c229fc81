"""A service with a database in memory."""

from shared.app import create_service
from shared.app.database import add_database
from shared.config import DatabaseConfig, ServiceConfig
from shared.database import Database

service = create_service("smoke", ServiceConfig(service_name="smoke"), logging=False)
database = Database(DatabaseConfig(url="sqlite:///:memory:"), service_name="smoke")

assert add_database(service, database) is database
assert b"db_client_connection_max" in service.metrics.render("")[0]
