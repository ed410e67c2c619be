"""Rows of a form that can be added and removed, with and without JavaScript.

A row is one value of each of several fields of the same name. The buttons `add` (which list) and
`remove` (list:number) come back as ordinary form data, so that the server can answer them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from django.http import QueryDict

from console.numbers import whole_number


@dataclass
class Row:
    """One row as typed, by field name, and what is wrong with it, by field name ("" is the row)."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    hint: str = ""


class Rows:
    """The rows of one list: Rows("limit", ("key", "value")) reads `limit-key`, `limit-value`."""

    def __init__(
        self,
        name: str,
        fields: Sequence[str],
        *,
        rows: Sequence[Mapping[str, str]] = (),
        needed: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.fields = tuple(fields)
        self.needed = tuple(needed or fields)
        self.rows = [
            Row({field_name: row.get(field_name, "") for field_name in self.fields}) for row in rows
        ]

    def read(self, data: QueryDict) -> None:
        """Takes what was sent; rows of which the `needed` fields are all blank are left out."""
        self._take(data)
        self.rows = [
            row for row in self.rows if any(row.values[field_name] for field_name in self.needed)
        ]

    def handle_buttons(self, data: QueryDict) -> bool:
        """Answers the buttons: adds or removes a row. True when one of them was pressed."""
        added = data.get("add", "") == self.name
        listed, _, number = data.get("remove", "").partition(":")
        # Blank rows are kept while editing, so that the numbers of the buttons fit.
        self._take(data)
        if added:
            self.add()
            return True
        position = whole_number(number)
        if listed == self.name and position is not None:
            del self.rows[position : position + 1]
            return True
        return False

    def _take(self, data: QueryDict) -> None:
        columns = [data.getlist(f"{self.name}-{field_name}") for field_name in self.fields]
        self.rows = [
            Row(
                {
                    field_name: text.strip()
                    for field_name, text in zip(self.fields, texts, strict=True)
                }
            )
            for texts in zip_longest(*columns, fillvalue="")
        ]

    def add(self, **values: str) -> None:
        """One more row."""
        self.rows.append(
            Row({field_name: values.get(field_name, "") for field_name in self.fields})
        )

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_errors(self) -> bool:
        """Something is wrong with a row."""
        return any(row.errors for row in self.rows)

    @property
    def blank(self) -> Row:
        """An empty row, for the browser to copy."""
        return Row(dict.fromkeys(self.fields, ""))
