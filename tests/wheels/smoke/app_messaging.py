"""A service with a bus in its process and an outbox in memory."""

from sqlalchemy import MetaData

from shared.app import create_service
from shared.app.messaging import add_event_bus, add_outbox
from shared.config import DatabaseConfig, ServiceConfig
from shared.database import Database
from shared.messaging import InMemoryBus
from shared.messaging.outbox import Outbox, outbox_table

service = create_service("smoke", ServiceConfig(service_name="smoke"), logging=False)
database = Database(DatabaseConfig(url="sqlite:///:memory:"), service_name="smoke")
bus = add_event_bus(service, InMemoryBus("smoke"))
add_outbox(service, Outbox(outbox_table(MetaData())), database=database, bus=bus)

assert b"outbox_pending_rows" in service.metrics.render("")[0]
