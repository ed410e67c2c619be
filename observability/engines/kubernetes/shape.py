"""What is read of a Job, its pods and its Kubernetes Events, as a shape: what is something else is
said to be unreadable."""

from __future__ import annotations

from typing import Final

from console.shapes import FLAG, MOMENT, TEXT, WHOLE, Each, Fields, Shape, Values

_METADATA: Final = Fields(
    name=TEXT,
    namespace=TEXT,
    uid=TEXT,
    generateName=TEXT,
    resourceVersion=TEXT,
    creationTimestamp=MOMENT,
    deletionTimestamp=MOMENT,
    labels=Values(TEXT),
    annotations=Values(TEXT),
    finalizers=Each(TEXT),
    managedFields=Each(Fields(manager=TEXT, time=MOMENT)),
    ownerReferences=Each(Fields(kind=TEXT, name=TEXT, uid=TEXT)),
)
_CONDITIONS: Final = Each(
    Fields(type=TEXT, status=TEXT, reason=TEXT, message=TEXT, lastTransitionTime=MOMENT)
)
_STATE: Final = Fields(
    waiting=Fields(reason=TEXT, message=TEXT),
    running=Fields(startedAt=MOMENT),
    terminated=Fields(
        exitCode=WHOLE, reason=TEXT, message=TEXT, startedAt=MOMENT, finishedAt=MOMENT
    ),
)
_CONTAINERS: Final = Each(
    Fields(name=TEXT, image=TEXT, restartCount=WHOLE, state=_STATE, lastState=_STATE)
)
_JOB: Final = Fields(
    metadata=_METADATA,
    spec=Fields(
        parallelism=WHOLE,
        completions=WHOLE,
        backoffLimit=WHOLE,
        activeDeadlineSeconds=WHOLE,
        ttlSecondsAfterFinished=WHOLE,
        suspend=FLAG,
        template=Fields(metadata=_METADATA, spec=Fields(containers=Each(Fields(image=TEXT)))),
    ),
    status=Fields(
        startTime=MOMENT,
        completionTime=MOMENT,
        succeeded=WHOLE,
        failed=WHOLE,
        conditions=_CONDITIONS,
    ),
)
_POD: Final = Fields(
    metadata=_METADATA,
    spec=Fields(nodeName=TEXT),
    status=Fields(
        phase=TEXT,
        reason=TEXT,
        message=TEXT,
        startTime=MOMENT,
        conditions=_CONDITIONS,
        containerStatuses=_CONTAINERS,
        initContainerStatuses=_CONTAINERS,
    ),
)
_EVENT: Final = Fields(
    metadata=_METADATA,
    reason=TEXT,
    message=TEXT,
    count=WHOLE,
    firstTimestamp=MOMENT,
    lastTimestamp=MOMENT,
    eventTime=MOMENT,
    series=Fields(count=WHOLE, lastObservedTime=MOMENT),
)
JOB: Final[Shape] = Fields(job=_JOB, pods=Each(_POD), events=Each(_EVENT))
"""Of the document of a Job (state.py)."""
