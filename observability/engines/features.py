"""What sets one engine apart from another, as facts that the rest of the trail goes by.

Nothing outside an engine's folder asks which engine it has before it: it asks for one of these.
Each engine has its own in a file of this name. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from observability.engines.contracts import JSON_DOCUMENT
from quotas.plans.contracts import Plane


@dataclass(frozen=True, slots=True)
class EngineFeatures:
    """One engine's features.

    Ids: `external_id_placeholder` and `location_placeholder` are what templates of addresses call a
    run's external id and location. `retried_run_id` gives the run id that follows one when the same
    object is retried in place; None where a retry is a run of its own.

    Tenants: with `namespaced` a location is a Kubernetes namespace, a wall: whoever can write a
    label there is inside already, so the place counts before what a run declares. With
    `children_inherit_tenant` the server itself names a run's parent, whose tenant then holds for
    children that declare none. `limit_planes` are the planes whose limits bear on its runs.

    History: `keeps_history` says that the engine has a record of a run that can be fetched, of
    media type `document_media`; else it is made of our own rows. With `numbers_events` that record
    is an append-only history whose event numbers are `seq`, and it is to be fetched again after
    somebody acted on the run; else `seq` is microseconds since 1970, and changes come by
    themselves. With `steps_are_pods` the steps of a run's events is its pods. `replayable` says by
    its run id whether a run has a history that code can be run against; None: none has. Of a run
    with more than `most_events` those in the middle are folded into one (None: all are kept).

    Workers: with `workers_are_nodes` what works on its runs is told by the node of a cluster, which
    is the operator's to know.

    Verbs: with `offers_open_steps` they take one of the run's open steps; with `repeats_calls` a
    retry sends the call again that the run's events recorded.
    """

    external_id_placeholder: str
    location_placeholder: str
    limit_planes: frozenset[Plane]
    retried_run_id: Callable[[str], str] | None = None
    namespaced: bool = False
    children_inherit_tenant: bool = False
    keeps_history: bool = True
    document_media: str = JSON_DOCUMENT
    numbers_events: bool = False
    replayable: Callable[[str], bool] | None = None
    steps_are_pods: bool = False
    workers_are_nodes: bool = False
    most_events: int | None = None
    offers_open_steps: bool = False
    repeats_calls: bool = False
