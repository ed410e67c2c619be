"""manage.py replay: does this code replay what ran before it? For CI, with an exit status."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from console.clients.temporal.history_documents import history_document
from console.clients.temporal.replay.runner import (
    Bundle,
    ReplayOutcome,
    ReplayProcess,
    ReplayVerdict,
)
from console.errors import DomainError, ExternalError, Refused
from console.pages.visible import visible
from observability.replays.models import WorkflowBundle
from observability.replays.services import run_selection
from observability.replays.services.bundles import bounds, opened
from observability.replays.services.execution import replay_one

DIVERGED = 1
ERROR = 2

EPILOG = """
Which code: --bundle NAME@VERSION (registered), or --module NAME … with --path DIR_OR_WHEEL …
Which histories: --query and --last (recorded runs), or FILE … (JSON as `temporal workflow show
-o json` writes it).

exit status: 0 every history replayed deterministically, 1 one did not, 2 nothing was replayed.

  manage.py replay --bundle flows@build-42 --query "type:InvoiceFlow" --last 500
  manage.py replay --path dist/flows-42-py3-none-any.whl --module flows.invoice history.json
"""


class Command(BaseCommand):
    """Replays recorded or exported histories and says which diverge, and where."""

    help = "Replays histories against workflow code, in a process of its own without a network."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Code, histories, output."""
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EPILOG
        parser.add_argument("files", nargs="*", metavar="FILE", help="histories as JSON")
        parser.add_argument("--bundle", help="NAME@VERSION")
        parser.add_argument("--module", action="append", default=[], help="module to import")
        parser.add_argument("--path", action="append", default=[], help="directory or wheel")
        parser.add_argument("--query", help="recorded runs, as in the search of the jobs")
        parser.add_argument("--last", type=int, default=500, help="so many at most (500)")
        parser.add_argument("--json", action="store_true", help="one JSON object per history")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replays; ends with the status described above."""
        try:
            bad, total = self._replay(options)
        except (DomainError, ExternalError) as error:
            _fail(error.message)
        if total == 0:
            _fail("No history was found, so nothing was replayed.")
        if not options["json"]:
            self.stdout.write(f"{total - bad} of {total} deterministic")
        self.stdout.flush()
        if bad:
            sys.exit(DIVERGED)

    def _replay(self, options: dict[str, Any]) -> tuple[int, int]:
        bad = total = 0
        with _process(options) as process:
            contents = process.start()
            if not contents.isolated:
                self.stderr.write("This system cannot take the network away from a replay.")
            if not contents.confined:
                self.stderr.write("This system cannot take our files away from a replay.")
            for name, outcome in _outcomes(process, options):
                if not isinstance(outcome, ReplayOutcome):
                    # Nobody has that history any more: it says nothing about the code.
                    self.stderr.write(f"left out: {visible(name)}: {visible(outcome)}")
                    continue
                total += 1
                bad += outcome.verdict is not ReplayVerdict.DETERMINISTIC
                self._write_line(name, outcome, as_json=options["json"])
        return bad, total

    def _write_line(self, name: str, outcome: ReplayOutcome, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"history": name, **asdict(outcome)}))
            return
        # Names come from outside: nothing in them may act on the terminal.
        line = f"{outcome.verdict.value:14} {visible(name)}"
        if outcome.verdict is ReplayVerdict.DIVERGED:
            where = f"event {outcome.event_id} {outcome.event_type}: " if outcome.event_id else ""
            line += f"\n    {where}the history has: {visible(outcome.expected)}"
            line += f"\n    the code would: {visible(outcome.actual)}"
        elif outcome.message:
            line += f"\n    {visible(outcome.message)}"
        self.stdout.write(line)


def _process(options: dict[str, Any]) -> ReplayProcess:
    if options["bundle"]:
        name, _, version = options["bundle"].partition("@")
        bundle = WorkflowBundle.objects.filter(name=name, version=version).first()
        if bundle is None:
            _fail(f"There is no bundle {options['bundle']}; use NAME@VERSION of one that is.")
        if bundle.retired_at is not None:
            _fail(f"Bundle {bundle} is retired; use another.")
        return opened(bundle)
    if not options["module"]:
        _fail("Say which code: --bundle NAME@VERSION, or --module NAME.")
    for path in options["path"]:
        if not Path(path).exists():
            _fail(f"--path {path}: there is no such file or directory.")
    paths = tuple(str(Path(path).resolve()) for path in options["path"])
    return ReplayProcess(Bundle(tuple(options["module"]), paths), bounds())


def _outcomes(
    process: ReplayProcess, options: dict[str, Any]
) -> Iterator[tuple[str, ReplayOutcome | str]]:
    """Each history's name with its outcome, or why there is none."""
    if options["files"] and options["query"] is not None:
        _fail("Name files, or say --query; not both.")
    if options["files"]:
        for name in options["files"]:
            yield name, process.replay(Path(name).stem, _document(Path(name)))
        return
    runs, _ = run_selection.newest(None, options["query"] or "", last=options["last"])
    for run in runs:
        result = replay_one(run, process)
        if result is None:
            _fail(f"The history of {visible(run.external_id)} cannot be read now; try again later.")
        _verdict, outcome = result
        yield f"{run.external_id} {run.run_id}", outcome


def _document(path: Path) -> bytes:
    try:
        return history_document(path.read_bytes())
    except OSError as error:
        _fail(f"{path}: {os.strerror(error.errno or 0)}.")
    except (Refused, ValueError) as error:
        _fail(f"{path} is not a history as JSON: {error}")


def _fail(message: str) -> NoReturn:
    raise CommandError(message, returncode=ERROR)
