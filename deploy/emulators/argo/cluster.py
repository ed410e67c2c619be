"""What the controller asks of a cluster, through the console's own client."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import orjson

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import resource_name_of
from console.errors import Conflict, ExternalError, NotFound, Refused
from deploy.emulators.argo import definition, names
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.run import PodCreation

JSON: Final = {"Content-Type": "application/json"}
LEASE: Final = "workflow-controller"
_SHORT: Final = 3.0
"""Seconds for a write: a conflict is better met by looking again than by trying again."""
_WAITS: Final = ("exceeded quota", "too many requests", "timeout", "being terminated")


class Cluster:
    """One cluster, by credential reference; `managed` is the namespace whose Workflows are looked
    after, all of them when empty (the real controller's `--managed-namespace`)."""

    def __init__(self, credential: str, managed: str = "") -> None:
        self._client = KubernetesClient(credential)
        self._managed = managed or None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Reading

    def unfinished(self) -> list[Obj]:
        """Every Workflow in its care that has not completed."""
        return self._list("Workflow", f"{names.COMPLETED}!=true")

    def finished(self) -> list[Obj]:
        """Every Workflow in its care that has completed."""
        return self._list("Workflow", f"{names.COMPLETED}=true")

    def pods(self) -> list[Obj]:
        """The pods of workflows that nobody has looked at since they ended."""
        return self._list("Pod", f"{names.WORKFLOW},{names.COMPLETED}=false")

    def _list(self, kind: str, selector: str) -> list[Obj]:
        return self._client.list(kind, namespace=self._managed, label_selector=selector)

    def limits(self) -> dict[str, str]:
        """The parallelism labels, by namespace."""
        listed = self._client.list("Namespace", label_selector=names.LIMIT)
        return {
            namespace["metadata"]["name"]: namespace["metadata"]["labels"][names.LIMIT]
            for namespace in listed
        }

    def limit(self, namespace: str, config_map: str, key: str) -> str | None:
        """The text of a semaphore's limit."""
        try:
            body = self._client.get("ConfigMap", config_map, namespace=namespace)
        except NotFound:
            return None
        text = (body.get("data") or {}).get(key)
        return None if text is None else str(text)

    def workflow(self, namespace: str, name: str) -> Obj:
        """One Workflow. Raises NotFound."""
        return self._client.get("Workflow", name, namespace=namespace)

    def workflows(self, namespace: str, selector: str) -> list[Obj]:
        """The Workflows of a namespace by their labels."""
        return self._client.list("Workflow", namespace=namespace, label_selector=selector)

    # Writing

    def submit(self, workflow: Obj) -> Obj:
        """A new Workflow, as it was stored."""
        return self._client.create(workflow)

    def update(self, workflow: Obj) -> bool:
        """Status and labels in one write; False when somebody else was faster."""
        return self._send("PUT", workflow)

    def create(self, obj: Obj) -> bool:
        """A new object; False when it is there already."""
        return self._send("POST", obj)

    def _send(self, method: str, obj: Obj) -> bool:
        place = resource_name_of(obj)
        path = place.path if method == "PUT" else place.kind.path(place.namespace)
        query = urlencode({"fieldManager": names.FIELD_MANAGER})

        async def go(deadline: float) -> bytes:
            return await self._client.session.send(
                method,
                path,
                what=f"write {place}",
                deadline=deadline,
                query=query,
                body=orjson.dumps(obj),
                headers=JSON,
            )

        try:
            self._client.run(go, _SHORT)
        except (Conflict, NotFound):
            return False
        return True

    def create_pod(self, pod: Obj) -> PodCreation:
        """A refusal by a quota may pass, any other is final."""
        try:
            self.create(pod)
        except Refused as refusal:
            return PodCreation(refusal.message, any(word in refusal.message for word in _WAITS))
        except ExternalError as error:
            return PodCreation(error.message, waits=True)
        return PodCreation()

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; it need not be there."""
        self._client.delete(kind, name, namespace=namespace)

    def tick_off(self, pods: Iterable[Obj]) -> None:
        """Mark pods that have ended and were looked at."""
        for pod in pods:
            own = pod["metadata"]
            patch = {"metadata": {"labels": {names.COMPLETED: "true"}}}
            try:
                self._client.patch_merge("Pod", own["name"], patch, namespace=own["namespace"])
            except NotFound:
                continue

    # Who else is there

    def install(self) -> bool:
        """Create the definition of Workflows where there is none. False: it is somebody else's, so
        a real Argo is, or was, at home here."""
        wanted = definition.definition()
        try:
            existing = self._client.get("CustomResourceDefinition", definition.NAME)
        except NotFound:
            self._client.apply(wanted, names.FIELD_MANAGER)
            return True
        return (existing["metadata"].get("labels") or {}).get(names.EMULATED) == "true"

    def real_controller(self, namespace: str, now: datetime) -> str:
        """Who renews the real controller's Lease; empty when nobody does."""
        try:
            lease = self._client.get("Lease", LEASE, namespace=namespace)
        except NotFound:
            return ""
        spec = lease.get("spec") or {}
        renewed = spec.get("renewTime")
        if not renewed:
            return ""
        age = now - datetime.fromisoformat(str(renewed)).astimezone(UTC)
        lasts = timedelta(seconds=2 * int(spec.get("leaseDurationSeconds") or 15))
        return str(spec.get("holderIdentity") or "somebody") if age < lasts else ""
