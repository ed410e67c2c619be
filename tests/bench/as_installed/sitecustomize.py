"""For programs that are measured: what only development has is not there, see `programs`."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

ABSENT = frozenset(os.environ.get("BENCH_ABSENT", "").split(","))


class Absent:
    """Finds nothing, and ends the search where there is to be nothing."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Absent)
