"""What an engine shows that cannot be read: set aside, counted and handed on, and the rest read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import structlog

from console.errors import ExternalError, own
from console.repeats import Repeats
from console.shapes import Shape, misfits
from observability.engines.contracts import RunSnapshot
from observability.engines.unstructured import Object, name_of, namespace_of, uid_of
from tenants.contracts import Unreadable

log = structlog.get_logger(__name__)
_logged = Repeats()

MOST = 1000
"""Things set aside between two pages; what is beyond is only counted."""
NAMELESS = "it has no name, namespace or uid"


class SetAside:
    """Collects what cannot be read until a page takes it along."""

    def __init__(self, kind: str, shape: Shape) -> None:
        """`shape` is what is read of an object of this kind."""
        self._kind, self._shape = kind, shape
        self._unreadable: dict[tuple[str, str, str], Unreadable] = {}
        self._others = 0

    def take(self) -> tuple[Unreadable, ...]:
        """What has been set aside since this was last asked; what is beyond the most is one line
        that counts it."""
        unreadable, self._unreadable = tuple(self._unreadable.values()), {}
        others, self._others = self._others, 0
        if others:
            problem = f"{others} more cannot be read"
            return (*unreadable, Unreadable(self._kind, "", "", problem))
        return unreadable

    def line(self, kind: str) -> None:
        """Notes a line of a watch that says nothing."""
        self._add(Unreadable(kind, "", "", "a line of its watch names no change or no object"))

    def runs(
        self,
        item: Object,
        translate: Callable[[], Iterable[RunSnapshot]],
        *,
        document: Object | None = None,
    ) -> Iterator[RunSnapshot]:
        """The runs that `translate` makes of an object; none of one that cannot be read at all. A
        mistake of ours in it costs this object only, and its traceback is in the log. `document` is
        what the shape is of, where that is more than the object."""
        name, place = name_of(item), namespace_of(item)
        if not (name and place and uid_of(item)):
            self._add(Unreadable(self._kind, place, name, NAMELESS))
            return
        try:
            if problem := misfits(document or item, self._shape):
                self._add(Unreadable(self._kind, place, name, problem))
            runs = list(translate())
        except ExternalError:
            raise
        except Exception as error:
            if _logged.is_new(self._kind, place, name, type(error).__name__):
                log.exception("run.unreadable", kind=self._kind, namespace=place, name=name)
            self._add(Unreadable(self._kind, place, name, own(error).message))
            return
        yield from runs

    def _add(self, problem: Unreadable) -> None:
        name = (problem.kind, problem.location, problem.name)
        if name in self._unreadable or len(self._unreadable) < MOST:
            self._unreadable[name] = problem
        else:
            self._others += 1
