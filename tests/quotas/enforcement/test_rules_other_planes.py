"""Limits of Argo, Celery and the job audit trail: each shown where it is kept, and nowhere else."""

from __future__ import annotations

import pytest

from quotas.changes.rules.catalogue import SECTIONS, offers
from quotas.changes.rules.titles import effect
from quotas.enforcement.charts import feature_facts
from quotas.enforcement.ports import Compiled, Observed
from quotas.enforcement.rules import limit_rows
from quotas.plans.contracts import Group
from quotas.plans.limits import parse_key
from tests.contract.adapter_harness import limits

LIMITS = limits(
    {
        "pods": 5,
        "temporal.queue_rate": 1000,
        "argo.parallelism": 3,
        "argo.semaphore.gpu": 1,
        "celery.queue_rate": 2000,
        "trail.retentionSeconds": 86400,
    }
)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("kubernetes", {"pods"}),
        ("temporal", {"temporal.queue_rate"}),
        ("argo", {"argo.parallelism", "argo.semaphore.gpu"}),
        ("celery", {"celery.queue_rate"}),
    ],
)
def test_a_placement_shows_the_limits_of_its_own_plane(kind: str, keys: set[str]) -> None:
    rows = limit_rows(
        kind=kind, compiled=Compiled(), observed=Observed(), limits=LIMITS, applied=False
    )
    assert set(rows) == keys


def test_every_group_has_a_section_and_is_offered() -> None:
    assert set(SECTIONS) == set(Group)
    assert {offer.section for offer in offers()} == set(SECTIONS.values())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("argo.parallelism", "further workflows wait"),
        ("celery.queue_rate", "tasks wait longer"),
        ("trail.retentionSeconds", "are deleted with their events"),
    ],
)
def test_what_a_smaller_limit_does_is_said_for_its_plane(key: str, words: str) -> None:
    assert words in effect(parse_key(key))


def test_where_names_are_asked_for_is_a_fact_of_a_cluster() -> None:
    openshift = {"distribution": "OpenShift"}
    assert feature_facts(openshift) == (("Cluster DNS", "openshift-dns 5353, as OpenShift has it"),)
    assert feature_facts({"distribution": ""}, {}) == (
        ("Cluster DNS", "kube-system 169.254.20.10/32 53, as usual"),
    )
    own = {"dns": {"namespaces": ["dns"]}}
    assert feature_facts(openshift, own) == (("Cluster DNS", "dns 53, set for this target"),)


def test_what_a_probe_of_argo_found_is_said() -> None:
    assert feature_facts({"workflows_served": True, "controller": "definition"}) == (
        ("Workflows (argoproj.io)", "served"),
        ("Workflow controller", "its version is what the definition of Workflows says"),
    )
    facts = dict(feature_facts({"workflows_served": False, "controller": ""}))
    assert facts == {
        "Workflows (argoproj.io)": "not there: install Argo's CRDs",
        "Workflow controller": "nothing tells its version",
    }
