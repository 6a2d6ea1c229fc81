"""``create_service`` under the name that the specification gives its module."""

from shared.app import Service, create_service

__all__ = ["Service", "create_service"]
