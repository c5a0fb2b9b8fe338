"""Curves of precision against recall as an SVG picture. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_SIDE, _MARGIN, _GAP = 300, 48, 40
_COLOURS = ("#1f5fa8", "#b3432b", "#2f7d4f", "#7a4fa0", "#a8791f", "#3a3a3a")


@dataclass(frozen=True, slots=True)
class Curve:
    """`recall` ascending, with the precision at each."""

    name: str
    recall: Sequence[float]
    precision: Sequence[float]


def draw(panels: Mapping[str, Sequence[Curve]]) -> str:
    """One panel for each title, side by side."""
    width, height = 2 * _MARGIN + len(panels) * _SIDE + (len(panels) - 1) * _GAP, _SIDE + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for at, (title, curves) in enumerate(panels.items()):
        parts += _panel(_MARGIN + at * (_SIDE + _GAP), title, curves)
    return "\n".join([*parts, "</svg>\n"])


def _panel(left: int, title: str, curves: Sequence[Curve]) -> list[str]:
    base = _MARGIN + _SIDE
    parts = [
        f'<text x="{left}" y="{_MARGIN - 14}" font-weight="bold">{escape(title)}: precision against recall</text>',
        f'<rect x="{left}" y="{_MARGIN}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>',
    ]
    for tenth in range(0, 11, 2):
        offset = _SIDE * tenth // 10
        parts += [
            f'<text x="{left + offset}" y="{base + 16}" text-anchor="middle">{tenth / 10}</text>',
            f'<text x="{left - 6}" y="{base - offset + 4}" text-anchor="end">{tenth / 10}</text>',
        ]
    for at, curve in enumerate(curves):
        colour = _COLOURS[at % len(_COLOURS)]
        points = " ".join(
            f"{left + _SIDE * recall:.1f},{base - _SIDE * precision:.1f}"
            for recall, precision in zip(curve.recall, curve.precision, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{left + 10}" y="{base - 10 - 15 * at}" fill="{colour}">{escape(curve.name)}</text>'
        )
    return parts
