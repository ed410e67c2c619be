"""What pages say, in lines, as somebody who looks again and again would notice it."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

BLOCKS: Final = frozenset(
    {
        *("p", "div", "section", "article", "header", "footer", "nav", "main", "form", "figure"),
        *("table", "thead", "tbody", "tr", "td", "th", "ul", "ol", "li", "dl", "dt", "dd"),
        *("h1", "h2", "h3", "h4", "details", "summary", "option", "button", "label", "br"),
    }
)
HIDDEN: Final = frozenset({"script", "style", "svg", "template"})
SECONDS: Final = 10.0
"""How long a page may take."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One answer: when (seconds of the clock), of which page, how (a status; 0: none, and `lines`
    say why), how long it took, and what was in it."""

    at: float
    path: str
    status: int
    seconds: float
    lines: tuple[str, ...]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in HIDDEN
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def lines_of(body: str, content_type: str) -> tuple[str, ...]:
    """The text of a page, block by block; of JSON, each check that is not ok."""
    if "json" in content_type:
        return _not_ok(json.loads(body))
    reader = _Text()
    reader.feed(body)
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    return tuple(line for line in lines if line)


def _not_ok(answer: object) -> tuple[str, ...]:
    if not isinstance(answer, dict):
        return ()
    degraded = answer.get("degraded") or ()
    return ("degraded: " + ", ".join(map(str, degraded)),) if degraded else ()


def ask(port: int, path: str, cookie: str) -> Sighting:
    """Asks for a page once, over a connection of its own."""
    at = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
        lines = lines_of(body, answer.headers.get("Content-Type", ""))
        status = answer.status
    except (OSError, http.client.HTTPException) as error:
        status, lines = 0, (f"no page: {type(error).__name__}",)
    finally:
        connection.close()
    return Sighting(at, path, status, time.monotonic() - at, lines)


class Onlooker(threading.Thread):
    """Somebody who looks at some pages again and again, until `stop`."""

    def __init__(self, port: int, cookie: str, paths: Sequence[str]) -> None:
        super().__init__(name="onlooker", daemon=True)
        self.paths = list(paths)
        self.sightings: list[Sighting] = []
        self._port, self._cookie = port, cookie
        self._stopping = threading.Event()

    def run(self) -> None:
        """The thread."""
        while not self._stopping.is_set():
            for path in self.paths:
                self.sightings.append(ask(self._port, path, self._cookie))
                if self._stopping.wait(0.1):  # clock: between two questions
                    return

    def stop(self) -> list[Sighting]:
        """All that was seen."""
        self._stopping.set()
        self.join(2 * SECONDS)
        return self.sightings


def worded(line: str) -> str:
    """A line without its numbers: "3 min ago" and "4 min ago" say the same."""
    return re.sub(r"\d+", "#", line)
