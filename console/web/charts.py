"""Charts as SVG: shape in, markup out. Pure.

The outer drawing is as wide as its place and has a fixed height, so that text keeps its size and nothing jumps; only the
line and the band lie in an inner drawing that is stretched. No inline styles (the page's security policy forbids them):
colours come from the style sheet by class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup, escape

TOP = 32
"""Pixels above the plot: room for the incident's label."""
AXIS = 32
"""Pixels below the plot: room for the time labels."""
LETTER = 0.01
"""Share of the width that one letter of a label takes on a wide screen, rather too much than too little."""
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the time axis. `minor` labels disappear on narrow screens."""

    at: datetime
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A shaded stretch of time with its label; `end` may lie after the chart."""

    start: datetime
    end: datetime
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One signal over time.

    `counts`: shape (n,), voices per bucket, None = not heard; bucket i is [start + i·bucket, start + (i+1)·bucket).
    `band`: shape (n,) of (low, high), or () where it is not known. `signal` names the colour. `hatches` are drawn over gaps.
    """

    id: str
    signal: str
    title: str
    description: str
    start: datetime
    bucket: timedelta
    counts: Sequence[int | None]
    band: Sequence[tuple[float, float]]
    ticks: Sequence[Tick] = ()
    spans: Sequence[Span] = ()
    hatches: Sequence[Span] = ()
    axis: bool = True
    """With time labels (the lowest of aligned charts)."""
    height: int = 96
    """Pixels of the plot."""

    @property
    def end(self) -> datetime:
        return self.start + self.bucket * len(self.counts)

    @property
    def floor(self) -> int:
        """Pixels from the top of the drawing to zero."""
        return TOP + self.height

    def level(self, value: float, top: int) -> float:
        """Pixels from the top of the drawing to a value."""
        return TOP + self.height * (1 - min(value, top) / top)

    def share(self, at: datetime) -> float:
        """Where a time lies between the chart's start (0) and end (1), held within these."""
        return min(1.0, max(0.0, (at - self.start) / (self.end - self.start)))


def scale(largest: float) -> tuple[int, int]:
    """(top, step) of an axis from zero: a round step of which one to three reach the largest value."""
    step = 1
    while step * 3 < largest:
        power = 10 ** (len(str(step)) - 1)
        step = power * next((s for s in STEPS if s * power > step), 10)
    return step * max(1, -int(-largest // step)), step


def draw(chart: Chart) -> Markup:
    """The chart as one `svg` element; nothing in it can be focused (the links lie above it, see `_chart.html`)."""
    if not chart.counts or len(chart.band) not in (0, len(chart.counts)):
        raise ValueError(
            f"{len(chart.counts)} counts and {len(chart.band)} band values: want at least 1, and as many or no band"
        )
    top, step = scale(
        max([c for c in chart.counts if c is not None] + [high for _, high in chart.band], default=0)
    )
    height = chart.floor + (AXIS if chart.axis else 8)
    parts: list[Markup] = [
        _tag("title", escape(chart.title), id=f"{chart.id}-title"),
        _tag("desc", escape(chart.description), id=f"{chart.id}-desc"),
        *_shades(chart),
        *_grid(chart, top, step),
        _stretched(chart, top),
        *_hatching(chart),
        *_dots(chart, top),
        *_numbers(chart, top, step),
        *_ticks(chart),
        *_labels(chart),
    ]
    return _tag(
        "svg", *parts, class_=f"chart signal-{chart.signal}", width="100%", height=height, role="img",
        aria_labelledby=f"{chart.id}-title {chart.id}-desc",
    )  # fmt: skip


def bar(share: float, signal: str) -> Markup:
    """A quiet horizontal bar, `share` in [0, 1] of its place; decoration beside a number, so hidden from screen readers."""
    width = f"{100 * min(1.0, max(0.0, share)):.1f}%"
    rect = _tag("rect", width=width, height=8, rx=1)
    return _tag("svg", rect, class_=f"bar signal-{signal}", width="100%", height=8, aria_hidden="true")


def _tag(name: str, *children: Markup, **attributes: object) -> Markup:
    """One element; underscores in attribute names become hyphens, a trailing one is dropped."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-") if key != "viewBox" else key}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{pairs}>{''.join(children)}</{name}>")  # noqa: S704 - names are ours, values escaped above


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _grid(chart: Chart, top: int, step: int) -> Iterable[Markup]:
    for value in range(0, top + 1, step):
        y = round(chart.level(value, top)) + 0.5
        yield _tag("line", class_="zero" if value == 0 else "grid", x1="0", x2="100%", y1=y, y2=y)


def _numbers(chart: Chart, top: int, step: int) -> Iterable[Markup]:
    for value in range(step, top + 1, step):
        yield _tag("text", escape(value), class_="number", x="0", y=round(chart.level(value, top)) - 4)


def _stretched(chart: Chart, top: int) -> Markup:
    """Band and line in units of the inner drawing: 1000 wide, 100 high."""
    n = len(chart.counts)

    def point(i: int, value: float) -> str:
        return f"{1000 * (i + 0.5) / n:.1f},{100 * (1 - min(value, top) / top):.1f}"

    lows = [point(i, low) for i, (low, _) in enumerate(chart.band)]
    highs = [point(i, high) for i, (_, high) in enumerate(chart.band)]
    band = _tag("polygon", class_="band", points=" ".join(highs + lows[::-1]))
    lines = [
        _tag("polyline", class_="line", points=" ".join(point(i, chart.counts[i] or 0) for i in run))
        for run in _runs(chart.counts)
        if len(run) > 1
    ]
    return _tag(
        "svg", band, *lines, x="0", y=TOP, width="100%", height=chart.height, viewBox="0 0 1000 100",
        preserveAspectRatio="none", overflow="visible",
    )  # fmt: skip


def _runs(counts: Sequence[int | None]) -> list[list[int]]:
    """Indices of stretches that were heard."""
    runs: list[list[int]] = [[]]
    for i, count in enumerate(counts):
        if count is None:
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if run]


def _dots(chart: Chart, top: int) -> Iterable[Markup]:
    """A ring on what lies above the normal range, a dot on the newest and on what stands alone between gaps."""
    n = len(chart.counts)
    alone = {run[0] for run in _runs(chart.counts) if len(run) == 1}
    for i, count in enumerate(chart.counts):
        if count is None:
            continue
        above = (
            chart.band
            and count > chart.band[i][1]
            and any(s.start <= _middle(chart, i) < s.end for s in chart.spans)
        )
        if above or i in alone or i == n - 1:
            yield _tag(
                "circle", class_="above" if above else "dot", cx=_percent((i + 0.5) / n),
                cy=f"{chart.level(count, top):.1f}", r=4 if above else 3,
            )  # fmt: skip


def _middle(chart: Chart, i: int) -> datetime:
    return chart.start + chart.bucket * (i + 0.5)


def _visible(chart: Chart, spans: Iterable[Span]) -> Iterable[tuple[Span, float, float]]:
    for span in spans:
        left, right = chart.share(span.start), chart.share(span.end)
        if right > left:
            yield span, left, right


def _shades(chart: Chart) -> Iterable[Markup]:
    for _, left, right in _visible(chart, chart.spans):
        yield _tag(
            "rect", class_="span", x=_percent(left), y=8, width=_percent(right - left), height=chart.floor - 8
        )
        yield _tag("line", class_="edge", x1=_percent(left), x2=_percent(left), y1=8, y2=chart.floor)


def _hatching(chart: Chart) -> Iterable[Markup]:
    if not chart.hatches:
        return
    stroke = _tag("line", class_="hatch", x1=0, y1=0, x2=0, y2=8)
    name = f"{chart.id}-hatch"
    yield _tag(
        "pattern",
        stroke,
        id=name,
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    for _, left, right in _visible(chart, chart.hatches):
        yield _tag(
            "rect", class_="unheard", x=_percent(left), y=TOP, width=_percent(right - left), height=chart.height,
            fill=f"url(#{name})",
        )  # fmt: skip


def _labels(chart: Chart) -> Iterable[Markup]:
    """Spans in the order given, each beside its left edge: inside it in the left half, before it in the right half. A label
    that would run into an earlier one is left out, and all but the first on narrow screens."""
    taken: list[tuple[float, float]] = []
    for span, left, _ in _visible(chart, chart.spans):
        width, inside = LETTER * len(span.label), left < 0.5
        first, last = (left, left + width) if inside else (left - width, left)
        if not span.label or any(first < end and start < last for start, end in taken):
            continue
        yield _tag(
            "text", escape(span.label), class_="label minor" if taken else "label", x=_percent(left),
            dx=8 if inside else -8, y=20, text_anchor="start" if inside else "end",
        )  # fmt: skip
        taken.append((first, last))
    for gap, left, right in _visible(chart, chart.hatches):
        if gap.label and right - left > LETTER * len(gap.label):
            x = _percent((left + right) / 2)
            yield _tag(
                "text", escape(gap.label), class_="label quiet minor", x=x, y=TOP + 20, text_anchor="middle"
            )


def _ticks(chart: Chart) -> Iterable[Markup]:
    for tick in chart.ticks:
        if not chart.start <= tick.at <= chart.end:
            continue
        share = chart.share(tick.at)
        x, name = _percent(share), "tick minor" if tick.minor else "tick"
        yield _tag("line", class_=name, x1=x, x2=x, y1=chart.floor, y2=chart.floor + 6)
        if chart.axis:
            anchor = "start" if share < 0.03 else "end" if share > 0.97 else "middle"
            yield _tag("text", escape(tick.label), class_=name, x=x, y=chart.floor + 24, text_anchor=anchor)
