"""Blocks of planes of losses: panels that share their levels and a colour bar, arranged by the settings of networks.

Panels stand at computed places, all of one size: layouts that matplotlib solves for do not know of squares.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from htsr.figures import style, surfaces, sweeps

DRAWN = ["block", "panel", "surface", "network", "batch_norm", "seed", "split", "a", "b", "level", "loss", "mark"]
COLUMNS = 4  # panels beside each other, at most
# Inches: left of a block, right of it, below it, between its panels, a line of a title, a title's character, nearly,
# and a line of the footnote.
_LEFT, _RIGHT, _BELOW, _GAP, _TEXT, _CHARACTER, _NOTE = 0.36, 0.66, 0.34, 0.16, 0.118, 0.042, 0.125
_LEAST, _MOST = 0.9, 2.2  # inches of a panel's side

Key = tuple[str, str]  # surface and network of a plane
Block = Mapping[str, Any]  # of `block`


def block(
    keys: Sequence[Key],
    planes: Mapping[Key, pd.DataFrame],
    titles: Mapping[str, str],
    known: Mapping[str, Mapping],
    axes: Mapping[str, Sequence[str]],
    summary: pd.DataFrame,
    places: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Planes that share levels and a colour bar: `lines` of keys, None being an empty place, and by key their rows
    (`planes`), lines of text above them (`titles`) and marked places (`marks`, the centre without `places`)."""
    marks = {}
    for key in keys:
        marks[key] = [{"a": 0.0, "b": 0.0, "mark": ""}]
        if places is not None:
            own = places[(places["surface"] == key[0]) & (places["network"] == key[1])]
            called = surfaces.titles(own["checkpoint"], known, axes, short=True, width=14)
            marks[key] = [
                {"a": row["a"], "b": row["b"], "mark": called[row["checkpoint"]]} for row in own.to_dict("records")
            ]
    return {
        "name": keys[0][0],
        "lines": arranged(keys, known, varied(keys, known, axes)),
        "planes": {key: planes[key] for key in keys},
        "titles": {key: [titles[key[1]], verdict(key, known, summary)] for key in keys},
        "marks": marks,
    }


def verdict(key: Key, known: Mapping[str, Mapping], summary: pd.DataFrame) -> str:
    """Test error of the network and non-convexity of the plane."""
    return ", ".join(filter(None, [surfaces.errors(key[1], known), surfaces.non_convex(summary, *key)]))


def arranged(keys: Sequence[Key], known: Mapping[str, Mapping], differing: Sequence[str]) -> list[list[Key | None]]:
    """Lines of planes: the first of the differing settings down, the others across; one after the other where no two
    settings differ, where a place would have two planes, or where the lines would be too long."""
    if len(differing) > 1:
        at = {key: tuple(known[key[1]].get(axis) for axis in differing) for key in keys}
        found = {place: key for key, place in at.items()}
        values = [sweeps.ordered(place[i] for place in at.values()) for i in range(len(differing))]
        across = [rest for rest in product(*values[1:]) if any((value, *rest) in found for value in values[0])]
        if len(found) == len(keys) and len(across) <= COLUMNS:
            return [[found.get((value, *rest)) for rest in across] for value in values[0]]
    return [list(keys[i : i + COLUMNS]) for i in range(0, len(keys), COLUMNS)]


def varied(keys: Iterable[Key], known: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]]) -> list[str]:
    """The settings that differ among the networks of planes."""
    return surfaces.varied((network for _, network in keys), known, axes)


def extent(rows: pd.DataFrame) -> tuple[float, ...]:
    """The ends of both axes of a plane."""
    return tuple(end for x in "ab" for end in (rows[x].min(), rows[x].max()))


def draw_blocks(
    blocks: Sequence[Block], points: pd.DataFrame, dataset: str, log: bool, *sentences: str
) -> tuple[Figure, pd.DataFrame]:
    """A figure of blocks of planes, those of one line beside each other where there is room, and what it shows.

    What does not fit on a page is left out, as the footnote says. sentences: further ones of it.
    """
    shelves = shelved(blocks)
    note = _NOTE * 9  # inches, at most
    while len(shelves) > 1 and _side(shelves, note) < _LEAST:
        shelves.pop()
    figure = style.new_figure(1.0)
    figure.set_layout_engine("none")
    shown = [own for shelf in shelves for own in shelf]
    footnote(figure, shown, points, dataset, blocks, *sentences)
    note = _NOTE * (figure._supxlabel.get_text().count("\n") + 1) + 0.15
    side = _side(shelves, note)
    heights = [_height(shelf, side) for shelf in shelves]
    figure.set_size_inches(style.WIDTH, min(note + sum(heights) + 0.05, style.HEIGHT))
    figure._supxlabel.set_y(0.04 / figure.get_figheight())
    top, drawn = figure.get_figheight() - 0.02, []
    for shelf, height in zip(shelves, heights, strict=True):
        cell, left = _cell(shelf, side), 0.0
        for own in shelf:
            drawn += _block(figure, own, log, (left, top), side, cell)
            left += _columns(own) * cell + _LEFT + _RIGHT
        top -= height
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def shelved(blocks: Iterable[Block]) -> list[list[Block]]:
    """The blocks in rows: beside each other those of one line, as long as they have `COLUMNS` panels or fewer, colour
    bars counting as half of one."""
    shelves: list[list[Block]] = []
    for own in blocks:
        row = [*(shelves[-1] if shelves else []), own]
        narrow = sum(map(_columns, row)) + (len(row) - 1) / 2 <= COLUMNS
        if len(row) > 1 and narrow and all(len(each["lines"]) == 1 for each in row):
            shelves[-1].append(own)
        else:
            shelves.append([own])
    return shelves


def footnote(
    figure: Figure, shown: Sequence[Block], points: pd.DataFrame, dataset: str, blocks: Sequence[Block], *others: str
) -> None:
    """What holds for the planes of the blocks shown, and how many are not shown of all `blocks`."""
    planes = [(key, rows) for own in shown for key, rows in own["planes"].items()]
    rows = [own for _, own in planes]
    splits = [surfaces.split(own) for own in rows]
    together = pd.concat(rows)
    losses = pd.concat([own[f"{split}_loss"] for own, split in zip(rows, splits, strict=True)])
    lost = sum(len(own["planes"]) for own in blocks) - len(planes)
    sweeps.footnote(
        figure,
        surfaces.images(together, dataset, list(dict.fromkeys(splits))),
        surfaces.seeds(points, [key for key, _ in planes]),
        "Error: of the network on test images",
        surfaces.directions(together),
        surfaces.policy(together),
        f"{surfaces.CONVEXITY}, {surfaces.sizes(rows)}",
        *others,
        surfaces.not_finite(losses, "Crosses, with gaps around them"),
        f"{style.counted(lost, 'plane')} not shown for want of room" if lost else "",
    )


def _columns(own: Block) -> int:
    return max(map(len, own["lines"]))


def _alike(own: Block) -> bool:
    """Whether all planes have the same axes, so that these are named at the border alone."""
    return len({extent(rows) for rows in own["planes"].values()}) == 1


def _cell(shelf: Sequence[Block], side: float) -> float:
    """Inches from panel to panel of a shelf, with panels of this side: more than needed where there is room."""
    room = style.WIDTH - len(shelf) * (_LEFT + _RIGHT)
    return min(room / sum(map(_columns, shelf)), side + 2.5 * _GAP)


def _wrapped(lines: Iterable[str], inches: float) -> str:
    """Lines of a title, broken at commas, and elsewhere only where nothing else helps."""
    tied = [line.replace(" ", "\xa0").replace(",\xa0", ", ") for line in lines if line]
    return "\n".join(textwrap.fill(line, max(int(inches / _CHARACTER), 8)) for line in tied).replace("\xa0", " ")


def _title(shelf: Sequence[Block], side: float) -> float:
    """Inches of the highest title of a shelf."""
    texts = [_wrapped(lines, _cell(shelf, side)) for own in shelf for lines in own["titles"].values()]
    return _TEXT * max(text.count("\n") + 1 for text in texts) + 0.1


def _height(shelf: Sequence[Block], side: float) -> float:
    lines = max(len(own["lines"]) for own in shelf)
    return lines * (side + _title(shelf, side)) + (1 if all(map(_alike, shelf)) else lines) * _BELOW


def _side(shelves: Sequence[Sequence[Block]], note: float) -> float:
    """Inches of every panel's side: what the width of the figure leaves, less where its height asks for it."""
    room = [(style.WIDTH - len(shelf) * (_LEFT + _RIGHT)) / sum(map(_columns, shelf)) - _GAP for shelf in shelves]
    side = min(*room, _MOST)
    lines = sum(max(len(own["lines"]) for own in shelf) for shelf in shelves)
    beyond = note + sum(_height(shelf, side) for shelf in shelves) + 0.05 - style.HEIGHT
    return side - max(beyond, 0.0) / lines


def _block(figure: Figure, own: Block, log: bool, corner: tuple[float, float], side: float, cell: float) -> list[dict]:
    """The panels of one block and its colour bar; returns what was drawn.

    corner: its upper left one, inches from the left and the lower border of the figure. side, cell: inches of a panel,
    and from one to the next.
    """
    lines, planes, alike = own["lines"], own["planes"], _alike(own)
    splits = {key: surfaces.split(rows) for key, rows in planes.items()}
    at = surfaces.levels(pd.concat([rows[f"{splits[key]}_loss"] for key, rows in planes.items()]), log)
    text = _title([own], side)
    drawn, filled, bottoms = [], None, []
    for i, line in enumerate(lines):
        below = corner[1] - (i + 1) * (side + text) - (0 if alike else i * _BELOW)
        bottoms.append(below)
        for j, key in enumerate(line):
            if key is None:
                continue
            axis = add_axes(figure, corner[0] + _LEFT + j * cell, below, side, side)
            filled = _panel(axis, planes[key], f"{splits[key]}_loss", at, log, own["marks"][key])
            title = _wrapped(own["titles"][key], cell)
            axis.set_title(title, fontsize=7, loc="left", pad=2.5, linespacing=1.1)
            lowest = all(j >= len(under) or under[j] is None for under in lines[i + 1 :])
            _label(axis, bottom=lowest or not alike, left=j == 0 or line[j - 1] is None or not alike)
            drawn += rows_of(own, key, splits[key])
    words = " or ".join(surfaces.SPLITS[split] for split in dict.fromkeys(splits.values()))
    right = corner[0] + _LEFT + (_columns(own) - 1) * cell + side
    height = bottoms[0] + side - bottoms[-1]
    _colour_bar(add_axes(figure, right + 0.09, bottoms[-1], 0.09, height), filled, at, log, f"{words} loss", height)
    return drawn


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Axes at a place in inches."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, bottom / h, width / w, height / h), **options)


def _panel(
    axis: Axes, rows: pd.DataFrame, column: str, at: np.ndarray, log: bool, marks: Sequence[Mapping[str, Any]]
) -> ContourSet:
    """One plane with its marked places; returns the filled contours."""
    filled = surfaces.contours(axis, rows, column, at, log)
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    for mark in marks:
        a, b = mark["a"], mark["b"]
        if not (left <= a <= right and bottom <= b <= top):
            continue
        axis.plot(a, b, "+", color="black", markersize=6, markeredgewidth=2)
        axis.plot(a, b, "+", color="white", markersize=5, markeredgewidth=0.9)
        if mark["mark"]:
            along, high = (a - left) / (right - left), b > (bottom + top) / 2
            axis.annotate(
                mark["mark"], (a, b), (0, -5 if high else 5), textcoords="offset points", fontsize=6.5,
                ha="left" if along < 0.2 else "right" if along > 0.8 else "center", va="top" if high else "bottom",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
            )  # fmt: skip
    return filled


def _label(axis: Axes, *, bottom: bool, left: bool) -> None:
    """Names and numbers of the axes, at the border of a block alone."""
    axis.tick_params(labelsize=6.5, length=2, labelbottom=bottom, labelleft=left, pad=1.5)
    axis.locator_params(nbins=2, steps=[1, 2, 5, 10])
    if bottom:
        axis.set_xlabel("$a$", labelpad=1)
    if left:
        axis.set_ylabel("$b$", labelpad=1, rotation=0)


def _colour_bar(axis: Axes, filled: ContourSet, at: np.ndarray, log: bool, label: str, inches: float) -> None:
    """A colour bar of the levels `at`; inches: its height."""
    shown = surfaces.ticks(at, int(inches / 0.12))
    bar = axis.figure.colorbar(filled, cax=axis)
    bar.set_ticks(surfaces.heights(shown, at, log), labels=[surfaces.loss_text(value) for value in shown])
    bar.minorticks_off()
    axis.tick_params(labelsize=6.5, length=2, pad=1.5)
    bar.set_label(label, fontsize=7.5, labelpad=2)
    bar.outline.set_linewidth(0.4)


def rows_of(own: Block, key: Key, split: str) -> list[dict]:
    """What a panel of a block shows: its points, and the places marked on it."""
    rows = own["planes"][key]
    common = {
        "block": own["name"],
        "panel": ", ".join(filter(None, own["titles"][key])),
        "surface": key[0],
        "network": key[1],
        "split": split,
    }
    common |= {name: rows[name].iloc[0] for name in ("batch_norm", "seed")}
    found = rows[["a", "b", "level", f"{split}_loss"]].rename(columns={f"{split}_loss": "loss"})
    marks = [{"a": mark["a"], "b": mark["b"], "mark": mark["mark"] or "centre"} for mark in own["marks"][key]]
    return [common | {"mark": None} | row for row in found.to_dict("records")] + [common | mark for mark in marks]
