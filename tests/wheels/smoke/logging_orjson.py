"""The faster encoder says the same."""

import io
import json
import logging

from shared.logging import configure_logging
from shared.logging.orjson import orjson_encoder

out = io.BytesIO()
configure_logging("smoke", stream=out, encoder=orjson_encoder)
logging.getLogger("smoke").info("hellö")

assert json.loads(out.getvalue())["message"] == "hellö"
