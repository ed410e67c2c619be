"""Files with secrets in them."""

import secrets
from pathlib import Path


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, and never half of it."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    part.touch(mode=0o600)
    part.write_text(content)
    part.replace(path)
