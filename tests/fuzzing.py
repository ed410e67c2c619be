"""How often fuzz tests mutate what they send: `make test` tries some, `make fuzz` many.

    pytestmark = pytest.mark.fuzz  # `make fuzz` runs what bears this mark, and nothing else

    @settings(max_examples=fuzz_examples())
    @given(...)
    def test_…

The mark is needed, as `--fuzz` chooses by it. Which run it is, is known before tests are imported:
decorators may ask.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

VARIABLE: Final = "FUZZ_EXAMPLES"
"""The environment variable that overrules both numbers, for a run of one's own."""

_at_large = False


def fuzz_at_large() -> None:
    """From here on `fuzz_examples` gives the large number (`pytest --fuzz`, `make fuzz`)."""
    global _at_large
    _at_large = True


def fuzz_examples(default: int = 1_000, large: int = 10_000) -> int:
    """How many examples a fuzz test tries: `default`, in a run that is `--quick` a quarter of it,
    in one that is `--fuzz` `large`; the variable FUZZ_EXAMPLES says otherwise. At least 1."""
    if os.environ.get(VARIABLE):
        return max(1, int(os.environ[VARIABLE]))
    if _at_large:
        return large
    whole = settings.get_profile("headroom").max_examples
    return max(1, default * settings().max_examples // whole)
