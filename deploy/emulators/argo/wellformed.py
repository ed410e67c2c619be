"""Which Workflows the controller can read: the real one drops what it cannot unmarshal, so that one
tenant's nonsense holds up nobody. It says so in its log and leaves the object as it is."""

from typing import Final

from console.shapes import TEXT, Each, Fields, Values, misfits
from deploy.emulators.argo.names import Obj

_LOCK: Final = Fields(namespace=TEXT, configMapKeyRef=Fields(name=TEXT, key=TEXT))
_LOCKS: Final = Fields(semaphores=Each(_LOCK), mutexes=Each(Fields(name=TEXT, namespace=TEXT)))
_PARAMETERS: Final = Fields(parameters=Each(Fields(name=TEXT)))
_STEP: Final = Fields(name=TEXT, template=TEXT, when=TEXT, depends=TEXT, arguments=_PARAMETERS)
_TEMPLATE: Final = Fields(
    name=TEXT,
    inputs=_PARAMETERS,
    steps=Each(Each(_STEP)),
    dag=Fields(tasks=Each(_STEP)),
    container=Fields(),
    suspend=Fields(),
    retryStrategy=Fields(),
    synchronization=_LOCKS,
)
_HELD: Final = Fields(holding=Each(Fields(semaphore=TEXT, mutex=TEXT)))
_NODE: Final = Fields(id=TEXT, name=TEXT, type=TEXT, phase=TEXT, children=Each(TEXT))
_WORKFLOW: Final = Fields(
    spec=Fields(
        entrypoint=TEXT,
        onExit=TEXT,
        shutdown=TEXT,
        arguments=_PARAMETERS,
        templates=Each(_TEMPLATE),
        synchronization=_LOCKS,
        ttlStrategy=Fields(),
    ),
    status=Fields(
        phase=TEXT,
        nodes=Values(_NODE),
        synchronization=Fields(semaphore=_HELD, mutex=_HELD),
    ),
)
_NEEDED: Final = ("id", "name", "type", "phase")


def problem_of(workflow: Obj) -> str:
    """Why a workflow cannot be read; empty when it can."""
    if problem := misfits(workflow, _WORKFLOW):
        return problem
    if not isinstance(workflow.get("spec"), dict):
        return "it has no spec"
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    bare = next((key for key, node in nodes.items() if not all(map(node.get, _NEEDED))), None)
    return "" if bare is None else f"status.nodes.{bare} does not say what it is"
