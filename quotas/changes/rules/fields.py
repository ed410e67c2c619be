"""What the fields of a change hold. The names tell JSON, REST and its schema how to read each;
for Python they are plain types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from quotas.plans.contracts import Policy

LONGEST_TEXT: Final = 300
MOST_ENTRIES: Final = 100_000

Text = Annotated[str, "text"]
"""Any text of up to LONGEST_TEXT characters."""
Name = Annotated[str, "name"]
"""A text that is not empty, such as a slug."""
Names = Annotated[tuple[str, ...], "names"]
"""At least one name, each once."""
Number = Annotated[int, "number"]
"""The number of a row or of a version, from 1."""
Numbers = Annotated[tuple[int, ...], "numbers"]
"""At least one number, each once."""
MaybeNumber = Annotated[int | None, "number or none"]
LimitName = Annotated[str, "limit key"]
"""The one spelling of a limit's key."""
Amount = Annotated[int | None, "amount"]
"""The value of the limit that the field `key` names, in its base unit; None is unlimited."""
Limits = Annotated[Mapping[str, int | None], "limits"]
"""Values in base units by key."""
NextPolicy = Annotated[Policy | None, "policy"]
"""The whole policy of a version; None leaves it as it is."""
Moment = Annotated[datetime, "moment"]
"""A time with its zone."""
Labels = Annotated[Mapping[str, str], "labels"]
SharingName = Annotated[str, "sharing"]
