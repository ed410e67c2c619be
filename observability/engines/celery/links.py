"""The pages of Flower, the UI that Celery users have. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.links import Link, OwnPages, RunAddress, path_part


def _of_run(base: str, address: RunAddress) -> list[Link]:
    return [Link("Flower: task", f"{base}/task/{path_part(address.external_id)}")]


LINKS: Final = OwnPages("Flower", _of_run)
