"""Variables become a typed tree; a wrong one is named, and its value is not."""

from shared.config import ConfigurationError, load_config

config = load_config("smoke-service", environ={"DB_POOL_SIZE": "8"})
assert config.database.pool_size == 8
assert config.database.connection_string == "sqlite:///./smoke-service.db"

try:
    load_config("smoke-service", environ={"SECRET_KEY": "hunter2"})
except ConfigurationError as error:
    message = str(error)
else:
    message = ""
assert "SECRET_KEY (environment)" in message
assert "hunter2" not in message
