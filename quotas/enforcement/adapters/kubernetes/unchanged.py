"""Whether anything has changed in a cluster since it was observed as a whole: a few bytes instead
of every object of every tenant."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import structlog

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from console.clients.kubernetes.watch import pages, watch
from console.errors import ExternalError
from console.unstructured import mapping, text, whole
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.ports import Comparison

LABELLED: Final = ("Namespace", "LimitRange", "NetworkPolicy", "RoleBinding")
"""Read with our label only; quotas without, as foreign ones count too."""
_NAMESPACES: Final = Selection("Namespace")
"""All of them: a tenant's place may be somebody else's."""
_WATCHED: Final = (
    _NAMESPACES,
    *(Selection(kind, labels=names.SELECTOR) for kind in LABELLED[1:]),
    Selection("ResourceQuota"),
)
_LONGEST: Final = 10.0
_LONGEST_UID: Final = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VersionMark:
    """Versions from which on watches miss nothing: those of the call before, and of this one.

    The next call watches from the earlier ones. That a watch was silent for a while does not prove
    that a slow server has told all; each change has a whole period more to be told in.
    `cluster` tells clusters apart: a credential may lead to another one from now on.
    """

    cluster: str
    earlier: Mapping[Selection, str]
    latest: Mapping[Selection, str]


def compared(client: KubernetesClient, since: VersionMark | None, *, timeout: float) -> Comparison:
    """`since` is the mark of the call before. Raises ExternalError when the cluster cannot be read;
    where it can but may not be watched, nothing can be told."""
    before = client.counter.copy()
    cluster, versions = _now(client, timeout)
    same = False
    if since is not None and since.cluster == cluster and not _went_back(since.latest, versions):
        try:
            same = _is_quiet(client, since.earlier)
        except ExternalError as error:
            # Expired versions, a missing permission, a proxy that lets no stream through.
            log.info("compare.unwatched", reason=error.message)
            return Comparison(same=False, reads=client.counter.since(before).reads)
    mark = VersionMark(cluster, since.latest if same and since else versions, versions)
    return Comparison(same=same, mark=mark, reads=client.counter.since(before).reads)


def _now(client: KubernetesClient, timeout: float) -> tuple[str, Mapping[Selection, str]]:
    """The cluster (by its first namespace) and its versions: of lists of one object each."""
    first = {
        selection: next(pages(client, selection, size=1, timeout=timeout)) for selection in _WATCHED
    }
    namespaces = first[_NAMESPACES].objects
    metadata = mapping(namespaces[0].get("metadata")) if namespaces else {}
    return text(metadata.get("uid"), _LONGEST_UID), {
        selection: page.version for selection, page in first.items()
    }


def _went_back(before: Mapping[Selection, str], versions: Mapping[Selection, str]) -> bool:
    """Whether a database was put back to an older state: its versions are smaller then, and it
    takes a watch from one that it has not reached yet without a word. Versions of a newer database
    of the same API server are whole numbers; of others nothing can be told."""
    pairs = ((whole(before[selection]), whole(versions[selection])) for selection in versions)
    return any(old is None or new is None or new < old for old, new in pairs)


def _is_quiet(client: KubernetesClient, since: Mapping[Selection, str]) -> bool:
    """Whether watches from there on say nothing but that they have told all."""
    with closing(watch(client, since, quiet=0.0, seconds=_LONGEST)) as batches:
        for batch in batches:
            if any(event.verb != "BOOKMARK" for event in batch):
                return False
            if not batch:
                return True
    return False
