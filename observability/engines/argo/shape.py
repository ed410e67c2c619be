"""What is read of a Workflow, as a shape: what is something else is said to be unreadable."""

from __future__ import annotations

from typing import Final

from console.shapes import FLAG, MOMENT, TEXT, WHOLE, Each, Fields, Shape, Values, either

_METADATA: Final = Fields(
    name=TEXT,
    namespace=TEXT,
    uid=TEXT,
    generateName=TEXT,
    creationTimestamp=MOMENT,
    deletionTimestamp=MOMENT,
    labels=Values(TEXT),
    annotations=Values(TEXT),
    finalizers=Each(TEXT),
    managedFields=Each(Fields(manager=TEXT, time=MOMENT)),
    ownerReferences=Each(Fields(kind=TEXT, name=TEXT, uid=TEXT)),
)
_LOCK: Final = Fields(namespace=TEXT, configMapKeyRef=Fields(name=TEXT, key=TEXT))
_LOCKS: Final = Fields(semaphore=_LOCK, semaphores=Each(_LOCK), mutexes=Each(Fields(name=TEXT)))
_STEP: Final = Fields(name=TEXT, continueOn=Fields(failed=FLAG, error=FLAG))
_TEMPLATE: Final = Fields(
    name=TEXT,
    daemon=FLAG,
    synchronization=_LOCKS,
    steps=Each(Each(_STEP)),
    dag=Fields(tasks=Each(_STEP)),
)
_SPEC: Final = Fields(
    entrypoint=TEXT,
    shutdown=TEXT,
    suspend=FLAG,
    priority=WHOLE,
    parallelism=WHOLE,
    activeDeadlineSeconds=WHOLE,
    ttlStrategy=Fields(
        secondsAfterCompletion=WHOLE, secondsAfterSuccess=WHOLE, secondsAfterFailure=WHOLE
    ),
    workflowTemplateRef=Fields(name=TEXT),
    synchronization=_LOCKS,
    templates=Each(_TEMPLATE),
)
_NODE: Final = Fields(
    id=TEXT,
    name=TEXT,
    displayName=TEXT,
    type=TEXT,
    templateName=TEXT,
    templateRef=Fields(template=TEXT),
    phase=TEXT,
    boundaryID=TEXT,
    message=TEXT,
    startedAt=MOMENT,
    finishedAt=MOMENT,
    progress=TEXT,
    hostNodeName=TEXT,
    children=Each(TEXT),
    daemoned=FLAG,
    nodeFlag=Fields(hooked=FLAG, retried=FLAG),
    outputs=Fields(exitCode=either("a number", TEXT, WHOLE)),
    synchronizationStatus=Fields(waiting=TEXT),
)
_HELD: Final = Each(Fields(semaphore=TEXT, mutex=TEXT))
WORKFLOW: Final[Shape] = Fields(
    metadata=_METADATA,
    spec=_SPEC,
    status=Fields(
        phase=TEXT,
        message=TEXT,
        startedAt=MOMENT,
        finishedAt=MOMENT,
        progress=TEXT,
        compressedNodes=TEXT,
        offloadNodeStatusVersion=TEXT,
        conditions=Each(Fields(type=TEXT, status=TEXT, message=TEXT)),
        nodes=Values(_NODE),
        storedWorkflowTemplateSpec=_SPEC,
        storedTemplates=Values(_TEMPLATE),
        synchronization=Fields(
            semaphore=Fields(holding=_HELD, waiting=_HELD),
            mutex=Fields(holding=_HELD, waiting=_HELD),
        ),
    ),
)
