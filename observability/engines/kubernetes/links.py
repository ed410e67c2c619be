"""The page of a Job in whatever UI a cluster has. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.links import Link, OwnPages, RunAddress, fill


def _of_run(base: str, address: RunAddress) -> list[Link]:
    """Cluster UIs have no routes in common: the address is a template, or just the way in."""
    try:
        return [Link("Cluster UI: job", fill(base, address.values()))]
    except ValueError as error:
        return [Link("Cluster UI", missing=str(error), option="ui_url")]


LINKS: Final = OwnPages("Cluster UI", _of_run)
