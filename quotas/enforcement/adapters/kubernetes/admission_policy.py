"""The execution policy: two MutatingAdmissionPolicies that the API server itself runs. Pure.

They read what a plan says from the namespace's annotations, so they are installed once and never
change with a plan. In a labelled namespace they shorten (or set) a new Job's time to live and
deadline, undo that somebody raises them later, and name a priority class for pods that name none.
"""

from __future__ import annotations

from typing import Any, Final

from quotas.enforcement.adapters.kubernetes import names

NAME: Final = "headroom-execution-policy"
_VERSION: Final = "admissionregistration.k8s.io/v1"
_ANNOTATIONS: Final = "namespaceObject.metadata.annotations"


def manifests() -> list[dict[str, Any]]:
    """Both policies, each with its binding."""
    jobs = [_at_most(field, annotation) for field, annotation in names.EXECUTION.items()]
    return [
        *_policy(NAME, "batch", "jobs", ["CREATE", "UPDATE"], jobs),
        *_policy(f"{NAME}-pods", "", "pods", ["CREATE"], [_priority()]),
    ]


def _policy(
    name: str, group: str, resource: str, operations: list[str], mutations: list[str]
) -> list[dict[str, Any]]:
    metadata = {"name": name, "labels": {names.MANAGED_BY: names.OURS}}
    rule = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": operations,
        "resources": [resource],
        "scope": "*",
    }
    return [
        {
            "apiVersion": _VERSION,
            "kind": "MutatingAdmissionPolicy",
            "metadata": metadata,
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {names.MANAGED_BY: names.OURS}},
                    "objectSelector": {},
                    "resourceRules": [rule],
                    "matchPolicy": "Equivalent",
                },
                "mutations": [
                    {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}
                    for expression in mutations
                ],
                # A limit that cannot be applied refuses the Job; it is never silently dropped.
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
            },
        },
        {
            "apiVersion": _VERSION,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": name},
        },
    ]


def _said(annotation: str) -> str:
    return f"has({_ANNOTATIONS}) && '{annotation}' in {_ANNOTATIONS}"


def _at_most(field: str, annotation: str) -> str:
    """A new Job without the field or with more gets the plan's value. So does a running one whose
    value is raised or removed; one that predates the policy is not touched by other updates."""
    limit = f"int({_ANNOTATIONS}['{annotation}'])"
    new, old = f"object.spec.{field}", f"oldObject.spec.{field}"
    created = f"!has({new}) || {new} > {limit}"
    updated = f"has({new}) ? {new} > {limit} && (!has({old}) || {new} > {old}) : has({old})"
    wrong = f"(oldObject == null ? {created} : ({updated}))"
    patch = f"JSONPatch{{op: 'add', path: '/spec/{field}', value: {limit}}}"
    return f"{_said(annotation)} && {wrong} ? [{patch}] : []"


def _priority() -> str:
    unnamed = "(!has(object.spec.priorityClassName) || object.spec.priorityClassName == '')"
    name = f"{_ANNOTATIONS}['{names.PRIORITY}']"
    patches = [f"[JSONPatch{{op: 'add', path: '/spec/priorityClassName', value: {name}}}]"]
    # The server worked these out for the class "none"; they would contradict the new name.
    patches += [
        f"(has(object.spec.{field}) ? [JSONPatch{{op: 'remove', path: '/spec/{field}'}}] : [])"
        for field in ("priority", "preemptionPolicy")
    ]
    return f"{_said(names.PRIORITY)} && {unnamed} ? {' + '.join(patches)} : []"
