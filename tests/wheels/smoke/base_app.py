"""The chassis under its other name."""

from shared.base_app import create_service
from shared.config import ServiceConfig

service = create_service("smoke", ServiceConfig(service_name="smoke"), logging=False)

assert service.app.title == "Smoke"
