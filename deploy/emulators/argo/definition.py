"""The CustomResourceDefinition of Workflows, in the minimal shape that Argo itself ships."""

from typing import Any, Final

from deploy.emulators.argo.names import EMULATED, VERSION

NAME: Final = "workflows.argoproj.io"
_ANYTHING: Final = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
    "x-kubernetes-map-type": "atomic",
}


def definition() -> dict[str, Any]:
    """The definition; it says whose it is. No status subresource: Argo's has none,
    and with one the server would drop every status that is written with its object."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": NAME,
            "labels": {EMULATED: "true"},
            "annotations": {"app.kubernetes.io/version": VERSION},
        },
        "spec": {
            "group": "argoproj.io",
            "names": {
                "kind": "Workflow",
                "listKind": "WorkflowList",
                "plural": "workflows",
                "singular": "workflow",
                "shortNames": ["wf"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        _column("Status", "string", ".status.phase"),
                        _column("Age", "date", ".status.startedAt"),
                        _column("Message", "string", ".status.message"),
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "required": ["metadata", "spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": _ANYTHING,
                                "status": _ANYTHING,
                            },
                        }
                    },
                }
            ],
        },
    }


def _column(name: str, sort: str, path: str) -> dict[str, str]:
    return {"name": name, "type": sort, "jsonPath": path}
