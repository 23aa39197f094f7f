"""Figures by matplotlib: curves and histograms, as SVG in a page or as a PNG of their own.

One drawing serves light and dark pages: words and axes have the page's own text color (`currentColor`), the background is
the page's, and the colors of curves stand out from both. So a page holds each figure once, and it stays sharp, small, and
its words can be searched. A PNG has a white background.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo_core.words import printable

from ..files import atomic_file

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#c2689a", "#b87f00", "#2f96c8", "#7f7f7f", "#a8703a", "#8f8300", "#8a63d2")
"""After Okabe and Ito's, which people tell apart who see colors differently, and a few more; some are darker or lighter than
theirs, so that each has a contrast of 3 with white pages and with dark ones (WCAG 2.2, 1.4.11). The first two are the
generator's and the discriminator's, in every picture; what belongs to neither takes `OTHERS`."""

OTHERS = COLORS[2:]

GRAY = "#888888"  # of what is compared with
POINTS = 300  # most points of a curve; each is the mean of the readings that it stands for
_INK, _NOTE = "#1d2126", "note:"
# Inches. A page scales a figure to its column; on a phone of 390 pixels words are then 10 pixels high. A PNG has twice the
# pixels that a page gives it.
_WIDTH, _PNG_WIDTH, _PNG_DPI = 4.8, 7.6, 200
_STYLE = Path(__file__).with_name("templates") / "figure.mplstyle"


class Line(NamedTuple):
    """A curve."""

    name: str  # in the legend; "" keeps it out
    points: Sequence[tuple[float, float]]  # (x, y) in order of x; those that are not finite are left out
    color: str = COLORS[0]
    note: str = ""  # stands in the tooltip
    faint: bool = False  # whether it stands behind others, thinner
    dashed: bool = False
    band: Sequence[tuple[float, float]] = ()  # lowest and highest y at each x of `points`, shaded


@dataclass(frozen=True)
class Curves:
    """Curves over one x axis that begins at 0."""

    lines: Sequence[Line]
    x: str  # what the axes say
    y: str = ""
    title: str = ""  # above them, on the left
    log: bool | None = None  # whether y is logarithmic; by default where the values span a factor of 50
    zero: bool = True  # whether a linear y axis begins at 0 where no value is below
    height: float = 2.7  # in inches

    def draw(self, axes: Axes) -> None:
        """Draw all that is finite; on a logarithmic axis, all that is positive."""
        log, found = self.log, [p for line in self.lines for p in self._points(line)]
        if log is None:
            log = min(y for _, y in found) > 0 and max(y for _, y in found) > 50 * min(y for _, y in found)
        for line in self.lines:
            if points := thin(self._points(line)):
                few = len(points) <= 20 and not line.faint and not line.dashed
                (drawn,) = axes.plot(*zip(*points, strict=True), color=line.color, label=line.name or "_", clip_on=False)
                drawn.set(gid=_NOTE + (line.note or line.name), linestyle="--" if line.dashed else "-")
                drawn.set(marker="o" if few else "", linewidth=0.8 if line.faint else 1.6, alpha=0.55 if line.faint else 1)
            if line.band:
                lows, highs = zip(*line.band, strict=True)
                axes.fill_between([x for x, _ in line.points], lows, highs, color=line.color, alpha=0.15, linewidth=0)
        ys = [y for _, y in found] + [y for line in self.lines for span in line.band for y in span]
        axes.set_yscale("log" if log else "linear")
        _set_ticks(axes.yaxis, ticks(min(ys) if log or not self.zero else min(0.0, *ys), max(ys), log=log))
        _set_ticks(axes.xaxis, ticks(0.0, max(x for x, _ in found)))
        axes.set(xlabel=self.x, ylabel=self.y, title=self.title)
        if any(line.name not in ("", self.title) for line in self.lines):
            side = 1 if self.title else 0
            # A legend that is wider than the figure would squeeze the axes.
            inches = 0.5 + 0.085 * max(len(line.name) for line in self.lines)  # of a column
            ncols = max(1, min(4, int((axes.figure.bbox.width / axes.figure.dpi - 0.6) / inches)))
            axes.legend(loc=("lower left", "lower right")[side], bbox_to_anchor=(side, 1.0), ncols=ncols, borderaxespad=0.2)

    def _points(self, line: Line) -> list[tuple[float, float]]:
        return [p for p in line.points if all(map(math.isfinite, p)) and (p[1] > 0 or not self.log)]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(self._points(line) for line in self.lines)


@dataclass(frozen=True)
class Histogram:
    """Distributions over one another, as shares."""

    values: Mapping[str, Sequence[float]]  # what each is called → its values
    x: str  # what the values are
    mark: float | None = None  # a value at which a line stands
    bins: int = 40
    height: float = 2.2
    colors: Sequence[str] = (COLORS[0], GRAY)  # of what the generator has drawn, and of what it is compared with

    def draw(self, axes: Axes) -> None:
        """Draw all of them with the same bins."""
        together = np.concatenate([np.asarray(values, float) for values in self.values.values()])
        low, high = float(together.min()), float(together.max())
        edges, top = np.linspace(low, high if high > low else low + 1.0, self.bins + 1), 0.0
        for (name, values), color in zip(self.values.items(), self.colors, strict=False):
            weights = np.full(len(values), 1 / max(1, len(values)))
            looks: dict[str, Any] = {"histtype": "stepfilled", "facecolor": (color, 0.45), "edgecolor": color}
            shares, *_ = axes.hist(values, edges.tolist(), weights=weights, label=name, **looks)
            top = max(top, float(np.max(shares)))
        if self.mark is not None:
            axes.axvline(self.mark, color=GRAY, linestyle="--", gid=f"{_NOTE}{self.mark:.3g}")
        _set_ticks(axes.xaxis, ticks(*edges[[0, -1]].tolist()))
        _set_ticks(axes.yaxis, ticks(0.0, top))
        axes.set(xlabel=self.x, ylabel="share")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(len(values) for values in self.values.values())


@dataclass(frozen=True)
class Intervals:
    """Values by name, each with the interval in which it lies, one below the other, the first on top."""

    values: Mapping[str, tuple[float, tuple[float, float] | None]]  # name → value and interval, None where there is none
    x: str  # what the values are
    colors: Mapping[str, str] = field(default_factory=dict)  # of those that shall stand out

    def draw(self, axes: Axes) -> None:
        """Draw all of them; on a logarithmic axis where the values span a factor of 20."""
        values = [value for value, _ in self.values.values()]
        log = min(values) > 0 and max(values) > 20 * min(values)
        floor = min(values) / 2 if log else -math.inf  # an interval that goes below 0 has no end there
        for row, (name, (value, interval)) in enumerate(self.values.items()):
            color = self.colors.get(name, GRAY)
            low, high = interval or (value, value)
            axes.plot([max(low, floor), high], [row, row], color=color, linewidth=1.6, alpha=0.6, solid_capstyle="butt")
            (dot,) = axes.plot([value], [row], "o", color=color, markersize=4.5)
            dot.set_gid(f"{_NOTE}{name}: {value:.4g}" + (f", {low:.4g} to {high:.4g}" if interval else ""))
        ends = [end for value, interval in self.values.values() for end in (value, *(interval or ()))]
        axes.set_xscale("log" if log else "linear")
        _set_ticks(axes.xaxis, ticks(max(min(ends), floor), max(ends), log=log))
        axes.set_yticks(range(len(self.values)), list(self.values))
        axes.set_ylim(len(self.values) - 0.4, -0.6)
        axes.grid(True, axis="x")
        axes.set(xlabel=self.x)

    @property
    def height(self) -> float:
        """In inches: a line of text for each."""
        return 0.6 + 0.2 * len(self.values)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.values


Chart = Curves | Histogram | Intervals


def svg(chart: Chart, alt: str) -> Markup | str:
    """Return a chart as SVG that stands in a page, "" where there is nothing to draw; `alt` is what a screen reader says."""
    from markupsafe import Markup, escape

    if chart.empty:
        return ""
    buffer = io.StringIO()
    with styled_matplotlib():
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        draw([chart], _WIDTH).savefig(buffer, format="svg", metadata=nothing)
    drawn = printable(buffer.getvalue(), lines=True)
    text = re.sub(r'.*?<svg [^>]*(viewBox="[^"]*")[^>]*>', r"<svg \1>", drawn, count=1, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)  # it would rule the whole page
    text = re.sub(rf"<g id=([\"']){_NOTE}(.*?)\1>", r"<g><title>\2</title>", text)  # escaped already
    text = re.sub(r' id="[A-Za-z0-9.]+_[0-9_]+"', "", text)  # numbers of groups, the same in every figure
    text = text.replace("xlink:href", "href").replace(_INK, "currentColor")
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(printable(alt))}" ', 1))


def save_png(charts: Sequence[Chart], path: Path) -> Path:
    """Write charts, one above the other, as one PNG.

    Raises:
        ZooError: it cannot be written.
    """
    with styled_matplotlib(), atomic_file(path) as temporary:
        figure = draw([chart for chart in charts if not chart.empty], _PNG_WIDTH)
        figure.savefig(temporary, dpi=_PNG_DPI, facecolor="white", format="png")
    return path


def draw(charts: Sequence[Chart], width: float) -> Figure:
    """Charts, one above the other, as a figure that no global state knows; `width` is in inches."""
    from matplotlib.figure import Figure

    figure = Figure((width, sum(chart.height for chart in charts)), layout="constrained")
    for axes, chart in zip(figure.subplots(len(charts), squeeze=False)[:, 0], charts, strict=True):
        chart.draw(axes)
    return figure


def ticks(low: float, high: float, *, log: bool = False) -> list[float]:
    """Round numbers that span low to high; with `log`, powers of ten, with 2 and 5 between them where there is room."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    high = high if high > low else 2 * low if log else low + 1.0
    if not log:
        return [round(float(t), 10) for t in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    found = LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,), numticks=99).tick_values(low, high)
    first, last = np.searchsorted(found, low, "right") - 1, np.searchsorted(found, high)
    return [float(t) for t in found[first : last + 1]]


def thin(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """At most `most` points, each the mean of those that it stands for."""
    step = max(1, math.ceil(len(points) / most))
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _set_ticks(axis: Axis, places: Sequence[float]) -> None:
    axis.set_ticks(places, [f"{place:,.10g}".replace("-", "−") for place in places])
    axis.set_ticks([], minor=True)
    axis.set_view_interval(places[0], places[-1], ignore=True)


@contextmanager
def styled_matplotlib() -> Iterator[Any]:
    """matplotlib with our settings alone, whatever somebody's matplotlibrc says; theirs are as before afterwards.

    It says nothing: neither that it lists the fonts, nor that it may not keep the list in the home folder. Without a home
    folder that can be written, it keeps the list in a temporary one until the process ends (half a second).
    """
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that the font lacks
            import matplotlib

            with matplotlib.rc_context(fname=_STYLE):
                yield matplotlib
    finally:
        logger.setLevel(before)
