"""The faster encoder: ``configure_logging("svc", encoder=orjson_encoder)``.

The one module of this package that needs orjson.
"""

from __future__ import annotations

import orjson

from shared.logging import Encoder

orjson_encoder: Encoder = orjson.dumps
"""Gives the same JSON values as the standard encoder, in less time."""
