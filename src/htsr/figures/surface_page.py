"""One HTML page with all planes in three dimensions, to be turned, compared and read; it needs nothing but a browser.

Its program is beside this module, `surface_page.html`, without libraries; the measured numbers are embedded as JSON.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from htsr.landscape.export import MEASURED, Plane, described

DIGITS = 7  # of embedded numbers
COLORS = "viridis"
_TEMPLATE = Path(__file__).with_suffix(".html")
# Of the summary: what the page prints beside each surface, in which words, and whether in percent.
MEASURES = (
    ("loss_center", "loss at the centre, with its standard error over the examples", False),
    ("loss_max", "largest finite loss", False),
    ("width_nat", "distance from the centre at which the loss is higher by 1", False),
    ("reached_nat", "share of lines from the centre that get there", True),
    ("share_negative", "share of inner points with negative curvature along some direction", True),
    ("decrease", "share of the variation along lines from the centre that is downwards", True),
)


def render(surfaces: Sequence[Plane], sets: Mapping[str, str], titles: Mapping[str, str], title: str) -> str:
    """The page. sets: the printed name of every surface's set; titles: those of networks; title: the heading."""
    data = {
        "colors": [[round(255 * c) for c in to_rgb(matplotlib.colormaps[COLORS](k / 32))] for k in range(33)],
        "measures": MEASURES,
        "surfaces": [record(own, sets, titles) for own in surfaces],
        "pair": pair(surfaces),
    }
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = _TEMPLATE.read_text(encoding="utf-8")
    return re.sub("@(TITLE|DATA)@", lambda m: html.escape(title) if m[1] == "TITLE" else text, page)


def record(own: Plane, sets: Mapping[str, str], titles: Mapping[str, str]) -> dict[str, Any]:
    """What the page knows of one plane; grids row by row, a slower than b."""
    about = own.about
    surface, network = str(about["surface"]), str(about["network"])
    name = f"{titles[network]} ({network})" if titles.get(network, network) != network else network
    return {
        "group": ": ".join(filter(None, [sets.get(surface), surface.replace("_", " ")])),
        "name": name + (f", direction seed {about['seed']}" if about["plane"] == "random" else ""),
        "description": described(own, titles),
        "examples": {split: about[f"{split}_examples"] for split in own.splits},
        "a": numbers(own.a),
        "b": numbers(own.b),
        "measured": None if own.measured.all() else "".join("01"[k] for k in own.measured.ravel().astype(int)),
        **{split: {name: numbers(own.values[f"{split}_{name}"]) for name in MEASURED} for split in own.splits},
        "places": [
            {
                "name": titles.get(mark["checkpoint"], mark["checkpoint"]),
                "epoch": None if mark["epoch"] is None else int(mark["epoch"]),
                "a": number(mark["a"]),
                "b": number(mark["b"]),
            }
            for mark in own.places
        ],
        "measures": summarized(own, ""),
        "spread": summarized(own, "_std") | summarized(own, "_stderr"),
        "seeds": own.measures.get("n_seeds"),
        "split": own.measures.get("split"),
    }


def summarized(own: Plane, ending: str) -> dict[str, Any]:
    """The measures of a plane that there are, or with an ending their spread."""
    found = {name: own.measures.get(name + ending) for name, *_ in MEASURES}
    return {name: number(value) for name, value in found.items() if value is not None}


def numbers(grid: np.ndarray) -> list[Any]:
    """Numbers of an array in the order of its memory."""
    return [number(x) for x in np.ravel(grid).tolist()]


def number(x: float) -> float | str | None:
    """A number as JSON has it: to DIGITS digits, None for NaN and "inf" or "-inf" for infinity, which JSON has not."""
    if np.isnan(x):
        return None
    rounded = float(f"{x:.{DIGITS}g}")
    return f"{x}" if np.isinf(x) else int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


def pair(surfaces: Sequence[Plane]) -> list[int]:
    """The two surfaces that the page opens with: of the same kind, their networks differing in as little as possible.

    In one word of their names, one that is no number if there are such: with and without shortcuts before two depths.
    The first pair of the best kind; one surface alone stands alone.
    """
    best, chosen = None, list(range(min(1, len(surfaces))))
    for j, second in enumerate(surfaces):
        for i, first in enumerate(surfaces[:j]):
            same = all(first.about[key] == second.about[key] for key in ("surface", "plane"))
            words = [str(own.about["network"]).split("_") for own in (first, second)]
            differing = [pair for pair in zip(*words, strict=False) if pair[0] != pair[1]]
            numeric = sum(word.strip("sp0123456789") == "" for pair in differing for word in pair)
            rank = (not same, len(words[0]) != len(words[1]), len(differing) or 9, numeric)
            if best is None or rank < best:
                best, chosen = rank, [i, j]
    return chosen
