"""Figures: what is drawn is what was given, in SVG for any page and in PNG; matplotlib leaves no trace."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from zoo.models.curves import NETWORKS
from zoo.reports.figures import (
    COLORS,
    GRAY,
    OTHERS,
    Chart,
    Curves,
    Histogram,
    Intervals,
    Line,
    draw,
    save_png,
    svg,
    thin,
    ticks,
)
from zoo_core import ZooError


def drawn(chart: Chart) -> Figure:
    return draw([chart], 5)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 0.7, [0, 0.2, 0.4, 0.6, 0.8]),
        (-1.2, 3, [-2, -1, 0, 1, 2, 3]),
        (5, 5, [5, 5.2, 5.4, 5.6, 5.8, 6]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_decades() -> None:
    assert ticks(0.3, 40, log=True) == pytest.approx([0.2, 0.5, 1, 2, 5, 10, 20, 50])
    assert ticks(1e-3, 1e4, log=True) == pytest.approx([10.0**p for p in range(-3, 5)])
    alike = ticks(3, 3, log=True)
    assert alike[0] <= 3 < alike[-1]


@pytest.mark.parametrize("ys", [[1.0, 2.0, 3.0], [1e-3, 5.0, 80.0], [-4.0, 0.0, 2.0], [0.0, 0.0, 0.0], [1.0, math.nan, 2.0]])
def test_curves_stay_inside_the_axes(ys: list[float]) -> None:
    curve = Line("a", list(zip([0.0, 50.0, 130.0], ys, strict=True)))
    (axes,) = drawn(Curves([curve], "x")).axes
    (line,) = axes.lines
    assert line.get_ydata().tolist() == [y for y in ys if math.isfinite(y)]  # type: ignore[union-attr]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert (left, right) == (0, 150)
    assert low <= min(y for y in ys if math.isfinite(y)) <= max(y for y in ys if math.isfinite(y)) <= high
    assert axes.get_yscale() == ("log" if ys[-1] == 80 else "linear")
    assert axes.get_yticks().tolist()[0] == low
    assert axes.get_yticks().tolist()[-1] == high


def test_a_span_has_room_and_seeds_are_thin() -> None:
    points = [(0.0, 1.0), (10.0, 2.0)]
    chart = Curves([Line("", points, faint=True), Line("mean", points, COLORS[1], band=[(0.5, 1.5), (1.0, 6.0)])], "x")
    (axes,) = drawn(chart).axes
    assert axes.get_ylim() == (0, 6)
    thin_line, line = axes.lines
    assert thin_line.get_linewidth() < line.get_linewidth()
    assert line.get_color() == COLORS[1]
    assert {tuple(v) for v in axes.collections[0].get_paths()[0].vertices} >= {(0, 0.5), (0, 1.5), (10, 1), (10, 6)}  # type: ignore[arg-type]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mean"]  # type: ignore[union-attr]


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert svg(Curves([Line("a", [(0, math.nan), (1, math.inf)])], "x"), "t") == ""
    assert svg(Curves([Line("a", [(0, -1), (1, 0)])], "x", log=True), "t") == ""
    assert svg(Curves([], "x"), "t") == ""
    assert svg(Histogram({"a": []}, "x"), "t") == ""
    (axes,) = drawn(Curves([Line("a", [(0, -1), (1, 5), (2, 7)])], "x", log=True)).axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2]  # type: ignore[union-attr]


def test_a_histogram_shows_shares() -> None:
    values = {"samples": [0.0, 0.0, 1.0, 4.0], "held-out images": [4.0]}
    (axes,) = drawn(Histogram(values, "ratio", mark=2.5, bins=4)).axes
    tops = [max(y for _, y in patch.get_path().vertices) for patch in axes.patches]  # type: ignore[attr-defined]
    assert sorted(tops) == [0.5, 1.0]
    assert axes.lines[0].get_xdata() == [2.5, 2.5]
    assert axes.get_xlabel() == "ratio"
    drawn(Histogram({"alike": [3.0, 3.0]}, "x"))


@pytest.mark.parametrize(
    ("names", "columns"), [(["dcgan-maxpool"] * 10, 2), (["d"] * 10, 4), (["a recipe of a name as long as this"] * 2, 1)]
)
def test_a_legend_does_not_squeeze_the_axes(names: list[str], columns: int) -> None:
    figure = drawn(Curves([Line(name, [(0, 1), (40_000, 2)]) for name in names], "images"))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend: Any = axes.get_legend()
    assert legend._ncols == columns
    assert legend.get_window_extent().width < figure.bbox.width
    assert axes.bbox.width > 0.75 * figure.bbox.width


def test_thinning() -> None:
    assert thin([(0, 0), (1, 2), (2, 4)], 2) == [(0.5, 1.0), (2.0, 4.0)]
    many = Line("a", [(i, 1.0) for i in range(10_000)])
    (axes,) = drawn(Curves([many], "x")).axes
    assert 200 < len(axes.lines[0].get_xdata()) <= 300  # type: ignore[arg-type]


def test_an_svg_is_part_of_its_page() -> None:
    chart = Curves([Line("a <b> $x$", [(0, 1), (5, 2)], note='"n" & <m>')], "x > y", "µ")
    text = str(svg(chart, 'a "quoted" <title>'))
    root = ET.fromstring(text)
    assert root.attrib["aria-label"] == 'a "quoted" <title>'
    words = [element.text for element in root.iter("text")]
    assert {"a <b> $x$", "x > y", "µ", "0", "5"} <= set(words)
    assert [element.text for element in root.iter("title")] == ['"n" & <m>']
    assert "currentColor" in text
    assert "#ffffff" not in text
    assert text.count(COLORS[0]) >= 1
    assert "<style" not in text
    assert str(svg(chart, 'a "quoted" <title>')) == text  # the same numbers, the same drawing


@pytest.mark.parametrize("color", [*COLORS, GRAY])
@pytest.mark.parametrize("background", ["#ffffff", "#16191d"])
def test_every_color_stands_out_from_light_and_dark_pages(color: str, background: str) -> None:
    def luminance(code: str) -> float:  # WCAG 2.2
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted(map(luminance, (color, background)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_each_network_has_a_color_of_its_own() -> None:
    assert list(NETWORKS.values()) == list(COLORS[:2])
    assert not set(NETWORKS.values()) & set(OTHERS)


def test_a_png_is_large_and_white(tmp_path: Path) -> None:
    chart = Curves([Line("a", [(0, 1), (5, 2)])], "x")
    with Image.open(save_png([chart, Curves([], "x"), Histogram({"a": [1.0, 2.0]}, "x")], tmp_path / "a.png")) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] == 1520
    assert pixels[0, 0].tolist() == [255, 255, 255]
    blue = [int(COLORS[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert (pixels == blue).all(2).sum() > 500
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match="cannot be written"):
        save_png([chart], tmp_path / "file" / "a.png")


QUIET = """
import sys
{before}
from zoo.reports.figures import Curves, Line, svg
text = svg(Curves([Line("人 face", [(0, 1), (5, 2)])], "x"), "t")
assert "33px" not in text and "人" in text
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
print(matplotlib.rcParams["font.size"])
"""


def run(code: str, **choices: Any) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **choices)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("home", [{"HOME": "/dev/null/nowhere"}, {"HOME": "/proc"}, {}], ids=str)
def test_a_home_that_cannot_be_written_is_no_matter(home: dict[str, str], tmp_path: Path) -> None:
    """Nor somebody's broken settings, nor letters that the font lacks."""
    (tmp_path / "matplotlibrc").write_text("font.size: 33\nno.such.key: 1\n")
    homes = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HOME")
    env = {key: value for key, value in os.environ.items() if key not in homes} | home
    assert run(QUIET.format(before=""), env=env, cwd=tmp_path) == ("33.0", "")


def test_somebody_elses_settings_stay_theirs() -> None:
    assert run(QUIET.format(before="import matplotlib; matplotlib.rcParams['font.size'] = 33")) == ("33.0", "")


def test_intervals_stand_one_below_the_other_with_their_names() -> None:
    values = {"dcgan": (10.0, (9.0, 11.0)), "sngan": (12.0, None), "a<b": (30.0, (20.0, 40.0))}
    text = str(svg(Intervals(values, "distance", {"dcgan": COLORS[0]}), "distances"))
    for name, words in (("dcgan", "dcgan: 10, 9 to 11"), ("sngan", "sngan: 12"), ("a&lt;b", "a&lt;b: 30, 20 to 40")):
        assert f"<title>{words}</title>" in text
        assert re.search(rf">{name}</text>", text)
    assert text.count(COLORS[0]) >= 2  # its dot and its line
    assert svg(Intervals({}, "distance"), "nothing") == ""
    assert Intervals(values, "").height < Intervals({**values, "more": (1.0, None)}, "").height


def test_intervals_far_apart_have_a_logarithmic_axis_that_holds_what_reaches_below_zero() -> None:
    near, far = ({"a": (1.0, (-1.0, 3.0)), "b": (high, None)} for high in (10.0, 100.0))
    assert "−" in str(svg(Intervals(near, "x"), "near"))  # the axis begins below 0
    text = str(svg(Intervals(far, "x"), "far"))
    assert "−" not in text
    assert ">0.5</text>" in text
    assert ">100</text>" in text
