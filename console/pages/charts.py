"""The headroom bar and the sparkline as SVG text. Pure: values in, markup out, text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_NEAR = 0.9
_SPARK_WIDTH, _SPARK_HEIGHT = 96.0, 18.0
_NO_LINE = '<line class="spark-none" x1="1" x2="95" y1="16" y2="16"/>'


@dataclass(frozen=True, slots=True)
class HeadroomBar:
    """One limit of one tenant on one line. Numbers are in base units, texts in human form.

    `used` None is unknown (the reason goes into `unknown_reason`); `enforced` and `intended` None
    are unlimited, 0 is none. `enforced_known` False says that no target has reported a limit yet:
    then only the intended tick is drawn. `stopped` says that nothing new may start: what is used
    above the limit is what still runs, and no news. `reserved` is admitted but not yet visible as
    used.
    """

    used: int | None
    reserved: int = 0
    enforced: int | None = None
    intended: int | None = None
    used_text: str = ""
    enforced_text: str = ""
    intended_text: str = ""
    headroom_text: str = ""
    label: str = ""
    enforced_known: bool = True
    unknown_reason: str = "not observed yet"
    stopped: bool = False

    @property
    def is_over(self) -> bool:
        """True when use exceeds the enforced limit; a limit of none with no use is not over."""
        if self.used is None or self.enforced is None or not self.enforced_known:
            return False
        return self.used > self.enforced and not self.stopped

    @property
    def is_near(self) -> bool:
        """True at 90 % of a finite enforced limit and above, reservations included."""
        if self.used is None or not self.enforced or not self.enforced_known or self.stopped:
            return False
        return self.used + self.reserved >= _NEAR * self.enforced

    @property
    def text(self) -> str:
        """The bar in words, for readers who do not see it."""
        parts = [f"{self.label}: " if self.label else "", _used_words(self), _limit_words(self)]
        if self.reserved:
            parts.append(", part of it reserved")
        if self.is_over:
            parts.append(", over the limit")
        elif self.stopped and self.used:
            parts.append("; nothing new may start")
        elif self.headroom_text:
            parts.append(f", {self.headroom_text} left")
        if _differs(self):
            parts.append(f"; the intended limit is {self.intended_text or '∞'}")
        return "".join(parts)

    def svg(self) -> str:
        """The bar as one SVG element that fills its container's width, 14 px high."""
        text = escape(self.text, quote=True)
        tone = "over" if self.is_over else "near" if self.is_near else "fine"
        scale = _scale(self)
        body = _unlimited(self) if scale is None else _body(self, scale)
        return (
            f'<svg class="hbar hbar-{tone}" role="img" aria-label="{text}" width="100%" '
            f'height="14"><title>{text}</title>{body}</svg>'
        )


def _used_words(bar: HeadroomBar) -> str:
    if bar.used is None:
        return f"use unknown ({bar.unknown_reason})"
    return f"{bar.used_text or bar.used} used"


def _limit_words(bar: HeadroomBar) -> str:
    if not bar.enforced_known:
        return ", nothing enforced yet"
    if bar.enforced is None:
        return ", no limit"
    return f" of {bar.enforced_text or bar.enforced}"


def _differs(bar: HeadroomBar) -> bool:
    return not bar.enforced_known or bar.intended != bar.enforced


def _scale(bar: HeadroomBar) -> int | None:
    """The value at the bar's right end; None where nothing bounds it."""
    limits = [bar.intended] if _differs(bar) else []
    if bar.enforced_known:
        limits.append(bar.enforced)
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    return max(*known, (bar.used or 0) + bar.reserved, 1)


def _unlimited(bar: HeadroomBar) -> str:
    """No limit: a thin line without an end; what is used has nothing to be compared with."""
    dot = '<circle class="hbar-dot" cx="3" cy="7" r="3"/>' if bar.used else ""
    return f'<line class="hbar-open" x1="0" x2="100%" y1="7" y2="7"/>{dot}'


def _body(bar: HeadroomBar, scale: int) -> str:
    percent = 100 / scale
    enforced = bar.enforced if bar.enforced_known else None
    out = [f'<rect class="hbar-room" y="3" width="{_end(enforced, percent)}" height="8" rx="1"/>']
    if bar.used is None:
        out.append('<rect class="hbar-unknown" y="3" width="100%" height="8" rx="1"/>')
    else:
        out.append(_filled(bar, enforced, percent))
    if _differs(bar) and bar.intended is not None:
        start = _end(enforced, percent) if enforced is not None else "0%"
        out.append(f'<line class="hbar-coming" x1="{start}" x2="100%" y1="7" y2="7"/>')
        out.append(f'<g class="hbar-intended">{_tick(bar.intended * percent, 5)}</g>')
    if enforced is not None:
        out.append(f'<g class="hbar-tick">{_tick(enforced * percent, 2)}</g>')
    return "".join(out)


def _filled(bar: HeadroomBar, enforced: int | None, percent: float) -> str:
    used, reserved = bar.used or 0, bar.reserved
    within = used if enforced is None else min(used, enforced)
    out = []
    if within:
        out.append(
            f'<rect class="hbar-used" y="3" width="{within * percent:.2f}%" height="8" rx="1"/>'
        )
    if used > within:
        past = "hbar-used" if bar.stopped else "hbar-past"
        out.append(_rect(past, within * percent, (used - within) * percent))
    if reserved:
        out.append(_rect("hbar-reserved", used * percent, reserved * percent))
    return "".join(out)


def _rect(name: str, start: float, width: float) -> str:
    return f'<rect class="{name}" x="{start:.2f}%" y="3" width="{width:.2f}%" height="8"/>'


def _end(limit: int | None, percent: float) -> str:
    return "100%" if limit is None else f"{limit * percent:.2f}%"


def _tick(at: float, width: int) -> str:
    """A tick at `at` percent, kept inside the picture at both ends."""
    shift = -width if at > 99 else 0 if at < 1 else -width / 2
    return (
        f'<rect x="{at:.2f}%" y="0.5" width="{width}" height="13" transform="translate({shift})"/>'
    )


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A short history, oldest first; None is a gap (nothing was measured).

    `text` says the same in words, e.g. "24 h: 31 to 38.2 cores". `limit` draws a hairline.
    """

    values: Sequence[float | None]
    text: str = ""
    limit: float | None = None

    def svg(self) -> str:
        """The line as one SVG element of 96 × 18 px; a flat line where nothing changes."""
        text = escape(self.text or "No history yet", quote=True)
        known = [value for value in self.values if value is not None]
        head = (
            f'<svg class="spark" role="img" aria-label="{text}" width="96" height="18" '
            f'viewBox="0 0 96 18"><title>{text}</title>'
        )
        if not known:
            return f"{head}{_NO_LINE}</svg>"
        top = max(max(known), self.limit or 0) or 1
        low = min(0.0, min(known))
        runs = _runs(self.values, low, top)
        x, y = runs[-1][-1]
        # A moment alone is no line: the empty day is drawn beneath it.
        alone = _NO_LINE if len(known) == 1 else ""
        return (
            f"{head}{alone}{self._limit_line(low, top)}{''.join(map(_segment, runs))}"
            f'<circle class="spark-end" cx="{x:.1f}" cy="{y:.1f}" r="1.5"/></svg>'
        )

    def _limit_line(self, low: float, top: float) -> str:
        if self.limit is None:
            return ""
        y = _height(self.limit, low, top)
        return f'<line class="spark-limit" x1="0" x2="96" y1="{y:.1f}" y2="{y:.1f}"/>'


def _height(value: float, low: float, top: float) -> float:
    return _SPARK_HEIGHT - 2 - (value - low) / (top - low) * (_SPARK_HEIGHT - 4)


def _runs(
    values: Sequence[float | None], low: float, top: float
) -> list[list[tuple[float, float]]]:
    """Points in picture units, one list per stretch without gaps."""
    step = (_SPARK_WIDTH - 4) / max(len(values) - 1, 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if value is not None:
            runs[-1].append((2 + index * step, _height(value, low, top)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _segment(run: list[tuple[float, float]]) -> str:
    points = " ".join(f"{left:.1f},{top:.1f}" for left, top in run)
    return f'<polyline class="spark-line" points="{points}"/>'
