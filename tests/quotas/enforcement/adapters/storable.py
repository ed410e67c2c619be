"""Whether what the loop makes of an observation can be stored."""

from __future__ import annotations

import json


def is_storable(value: object) -> bool:
    """Whether PostgreSQL takes it as JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return "\\u0000" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
