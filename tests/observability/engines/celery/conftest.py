"""A target whose source follows a script, as ingest's own tests have it."""

from tests.observability.ingest.conftest import kept, read, source, target

__all__ = ["kept", "read", "source", "target"]
