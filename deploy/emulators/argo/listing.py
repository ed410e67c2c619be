"""Lists as the Argo server gives them: selected by fields, cut into pages by a number. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.emulators.argo.names import Obj, moment

_TERM: Final = re.compile(r"(metadata\.(?:namespace|name)|spec\.startedAt)(==|!=|=|>|<)(.+)")


class CannotSelectError(Exception):
    """A field selector that Argo refuses too."""


def page(workflows: Sequence[Obj], query: Mapping[str, str]) -> Obj:
    """One page, without nodes; `continue` is how many came before the next."""
    terms = [term for term in query.get("listOptions.fieldSelector", "").split(",") if term]
    matching = [workflow for workflow in workflows if all(_fits(workflow, term) for term in terms)]
    start = int(query.get("listOptions.continue") or 0)
    limit = int(query.get("listOptions.limit") or 0) or len(matching)
    shown = matching[max(0, start) :][:limit]
    over = start + len(shown)
    metadata = {"continue": str(over)} if over < len(matching) else {}
    return {"metadata": metadata, "items": [_bare(workflow) for workflow in shown]}


def _fits(workflow: Obj, term: str) -> bool:
    match = _TERM.fullmatch(term)
    if match is None or (match[1] == "spec.startedAt") is not (match[2] in "<>"):
        raise CannotSelectError(f"unsupported requirement {term}")
    field, sign, value = match.groups()
    if field == "spec.startedAt":
        began, bound = moment((workflow.get("status") or {}).get("startedAt")), moment(value)
        if began is None or bound is None:
            return False
        return began > bound if sign == ">" else began < bound
    same = workflow["metadata"][field.removeprefix("metadata.")] == value
    return same is (sign != "!=")


def _bare(workflow: Obj) -> Obj:
    status = {k: v for k, v in (workflow.get("status") or {}).items() if k != "nodes"}
    return {**workflow, "status": status}
