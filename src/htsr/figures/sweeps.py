"""What the figures of trained networks share: who is drawn, means over seeds, axes of settings, phases as cells.

A sweep's table (collect_sweep/{sweep}.csv) has one row for each network, epoch and matrix; that of its networks
(collect_sweep/{sweep}_networks.csv) one row a network.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from htsr.errors import InputError
from htsr.figures import style
from htsr.files import Arrays
from htsr.metrics.phase import PHASES
from htsr.spectra.spectrum import Spectrum, from_arrays
from htsr.statistics.student import student

INTERVALS = "Means, from three seeds on with 95 % intervals ($t$)"
_FEWEST = 3  # seeds of an interval: that of two is 12.7 standard errors long and would hide everything else
LAYERS = 5  # that the lines of one panel can tell apart
NETWORK = {
    "train_accuracy": "training",
    "true_accuracy": "training, true labels",
    "test_accuracy": "test",
}
"""Accuracies of a network in a sweep's table, as legends call them; the first is against the labels trained on."""

WORDS = {
    "batch_size": "batch size",
    "label_noise": "share of random labels",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "distance": r"$\|\mathbf{W}-\mathbf{W}_0\|/\|\mathbf{W}_0\|$",
    "gap": "generalization gap (%)",
    "error": "test error (%)",
    "test_accuracy": "test accuracy (%)",
    "train_accuracy": "training accuracy (%)",
}
_LOGARITHMIC = ("batch_size", "epoch", "learning_rate", "width")
_LINE = 118  # characters of a footnote on one line
_LINEAR = ("label_noise",)
_SPREAD = 8.0  # other settings whose values differ by more than this factor are drawn on logarithmic axes
_ASIDE = 0.12  # of an axis: how far 0 stands from the least positive value on a logarithmic one

# Pale to strong in the order of growing correlation, then black: told apart in grey as well.
PHASE_COLORS = dict(zip(PHASES, ("#e6e6e6", "#a6cbe3", "#3c86bd", "#f5b26b", "#c4480c", "#000000"), strict=True))
LEGEND = {"fontsize": 6.2, "handlelength": 1.0, "columnspacing": 0.9, "handletextpad": 0.4, "borderaxespad": 0.1}
"""Looks of a legend that has room for the names of all phases."""


def usable(table: pd.DataFrame, networks: pd.DataFrame, axes: Sequence[str] = ()) -> tuple[pd.DataFrame, str]:
    """The rows of networks that did not diverge, and a sentence that counts those that did.

    axes: settings that the sweep varies; an empty value of one becomes the text "none".
    """
    good = networks.loc[(networks["status"] == "ok") & networks["accuracy"].notna(), "model"]
    rows = table[table["network"].isin(good)]
    for axis in axes:
        if rows[axis].isna().any():
            rows = rows.assign(**{axis: rows[axis].astype(object).fillna("none")})
    lost = len(networks) - len(good)
    return rows, f"{style.counted(lost, 'network')} diverged: not shown" if lost else ""


def fixed(rows: pd.DataFrame, axes: Sequence[str], kept: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """The rows at the first value of every axis that the figure does not show, and a sentence that names these."""
    told = []
    for axis in axes:
        values = ordered(rows[axis])
        if axis not in kept and len(values) > 1:
            rows = rows[rows[axis] == values[0]]
            told.append(f"{words(axis)} {printed(values[0])}")
    return rows, f"Shown: {style.plain(', '.join(told))}" if told else ""


def layers(rows: pd.DataFrame, most: int = LAYERS) -> tuple[list[str], str]:
    """The layers with the largest matrices, in the order of the network, and a sentence that counts the others."""
    sizes = (rows["n"] * rows["m"]).groupby(rows["weight_layer"], sort=False).max()
    kept = set(sizes.sort_values(ascending=False, kind="stable").index[:most])
    beyond = len(sizes) - len(kept)
    return [layer for layer in sizes.index if layer in kept], (
        f"{style.counted(beyond, 'smaller layer')} not shown" if beyond else ""
    )


def choose(rows: pd.DataFrame, layer: str | None) -> str | None:
    """The named layer, else the fully connected one with the largest matrix, else that with the largest matrix.

    None where there are no layers. Raises InputError where the named one is not there.
    """
    found = list(dict.fromkeys(rows["weight_layer"]))
    if layer is not None and found and layer not in found:
        raise InputError(f"layer {layer!r} is none of the sweep, which has {', '.join(found)}: correct `layer`")
    if layer is not None or not found:
        return layer if found else None
    dense = rows[rows["kind"] == "linear"]
    return layers(dense if len(dense) else rows, 1)[0][0]


def per_layer(rows: pd.DataFrame, columns: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """Mean of the columns over the matrices of a layer: one row for each network, epoch and layer, with the keys."""
    own = list(dict.fromkeys(["network", "seed", "epoch", "weight_layer", *keys]))
    rows = rows.replace({column: [np.inf, -np.inf] for column in columns}, np.nan)
    return rows.groupby(own, sort=False)[list(columns)].mean().reset_index()


def per_network(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row for each network and epoch, whose layers agree in what is no property of a layer."""
    return rows.drop_duplicates(list(dict.fromkeys(["network", "epoch", *keys])))


def initial(rows: pd.DataFrame, column: str) -> pd.Series:
    """Mean of a column before training, by layer; empty where no state is that of epoch 0."""
    return rows.loc[rows["epoch"] == 0].groupby("weight_layer", sort=False)[column].mean().dropna()


def over_seeds(rows: pd.DataFrame, key: str, column: str) -> pd.DataFrame:
    """Mean of a column over the networks at each value of `key`, and its 95 % interval by Student's t.

    Columns: the key, mean, low, high, least, greatest, n; the interval is NaN where all agree or there is only one.
    """
    found = []
    for value, own in rows.dropna(subset=[column]).groupby(key, sort=False):
        numbers = own[column].to_numpy(float)
        result = student(numbers)
        found.append(
            {key: value, "least": numbers.min(), "greatest": numbers.max()}
            | {name: getattr(result, name) for name in ("mean", "low", "high", "n")}
        )
    return pd.DataFrame(found, columns=[key, "mean", "low", "high", "least", "greatest", "n"])


def spectrum_of(arrays: Arrays, row: Mapping) -> Spectrum:
    """The spectrum of a row of the sweep's table. arrays: the file of compute_esd of the sweep.

    Raises InputError where the file has none.
    """
    name = f"{row['network']}/{row['epoch']}/{row['layer']}"
    entry = arrays.header["spectra"].get(name)
    if entry is None:
        raise InputError(f"{arrays.path}: no spectrum {name!r}, which the table of the sweep has: make both anew")
    return next(from_arrays(arrays, arrays.header | {"spectra": {name: entry}}))


def ordered(values: Iterable[Any]) -> list[Any]:
    """The different values: numbers ascending, labels in their order."""
    found = list(dict.fromkeys(values))
    return sorted(found) if all(_number(value) for value in found) else found


def words(axis: str) -> str:
    """What an axis or a column is called."""
    return WORDS.get(axis) or (style.symbol(axis) if axis in style.COLUMNS else style.plain(axis.replace("_", " ")))


def printed(value: Any) -> str:
    """A value of a setting as text."""
    return f"{value:g}" if _number(value) else style.plain(str(value).replace("_", " "), 22)


def places(values: Iterable[Any], axis: str) -> dict[Hashable, float]:
    """Position of each value of a setting along an axis from 0 to 1.

    Logarithmic for what is usually varied by factors, with 0 set aside, else linear; labels at equal distances.
    """
    values = ordered(values)
    if len(values) < 2:
        return dict.fromkeys(values, 0.5)
    if not all(_number(value) for value in values):
        return {value: i / (len(values) - 1) for i, value in enumerate(values)}
    numbers = np.array(values, float)
    if _logarithmic_axis(values, axis):
        zeros = int(np.count_nonzero(numbers == 0))
        logs = np.log(numbers[zeros:])
        start = _ASIDE if zeros else 0.0
        at = np.append(np.zeros(zeros), start + (1 - start) * (logs - logs[0]) / (logs[-1] - logs[0]))
    else:
        at = (numbers - numbers[0]) / (numbers[-1] - numbers[0])
    return dict(zip(values, at.tolist(), strict=True))


def prepare_axis(axis: Axes, at: Mapping[Hashable, float], name: str, inches: float, *, titled: bool = True) -> None:
    """Ticks at the values, a break before a 0 that stands aside, and limits. inches: width of the axis, nearly.

    titled: whether the axis says what it is.
    """
    axis.set_xlim(-0.05, 1.05)
    turned = _ticks(axis, at, inches)
    if titled and not turned:
        axis.set_xlabel(words(name))
    if 0 in at and _logarithmic_axis(list(at), name):
        axis.plot(
            [_ASIDE / 2], [0], marker=[(-0.6, -1), (0.6, 1)], color="0.2", markersize=5, linestyle="none",
            transform=axis.get_xaxis_transform(), clip_on=False, zorder=5,
        )  # fmt: skip


def _ticks(axis: Axes, at: Mapping[Hashable, float], inches: float) -> bool:
    """Ticks at the values, labels where there is room; whether these had to be turned."""
    turned = any(not _number(value) for value in at) and _too_long(at, inches)
    texts, end = [], -np.inf
    for value, position in at.items():
        text = printed(value)
        half = 0.07 if turned else 0.03 + 0.027 * len(text)  # inches of a text of 7.5 points
        fits = position * inches - half > end
        texts.append(text if fits else "")
        end = position * inches + half if fits else end
    axis.set_xticks(list(at.values()), texts)
    if turned:
        axis.tick_params(axis="x", labelrotation=30)
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    return turned


def means(
    axis: Axes,
    rows: pd.DataFrame,
    key: str,
    column: str,
    at: Mapping[Hashable, float],
    look: Mapping[str, Any],
    shift: float = 0.0,
) -> list[dict]:
    """Mean of a column at each value of `key` with its interval, single networks faint; returns what was drawn."""
    points = rows.dropna(subset=[column])
    axis.plot(
        points[key].map(at).astype(float) + shift, points[column], look["marker"], color=look["color"], alpha=0.5,
        markersize=2.5, markeredgewidth=0, zorder=2,
    )  # fmt: skip
    found = over_seeds(points, key, column)
    found = found.assign(position=found[key].map(at).astype(float) + shift).sort_values("position")
    bounded = found["n"] >= _FEWEST
    reach = np.nan_to_num([(found["mean"] - found["low"]) * bounded, (found["high"] - found["mean"]) * bounded])
    axis.errorbar(
        found["position"], found["mean"], reach, **look, markersize=3.5, linewidth=1, elinewidth=0.7, capsize=1.5,
        zorder=3,
    )  # fmt: skip
    single = [{"x": row[key], "network": row["network"], "value": row[column]} for row in points.to_dict("records")]
    return single + [
        {"x": row[key], "value": row["mean"], "low": row["low"], "high": row["high"], "n": row["n"]}
        for row in found.to_dict("records")
    ]


def by_layer(
    axis: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    key: str,
    column: str,
    at: Mapping[Hashable, float],
    *,
    before: Mapping[str, float] | None = None,
    width: float = 0.02,
    **looks: Any,
) -> list[dict]:
    """`means` of every layer beside each other, with the label of the axis; returns what was drawn.

    rows: of `per_layer`. before: a value of each layer to draw as a dotted line. width: of the layers at one value.
    """
    drawn = []
    for index, name in enumerate(names):
        look, own = style.look(index) | looks, rows[rows["weight_layer"] == name]
        shift = _dodge(index, len(names), width)
        drawn += [{"panel": column, "curve": name} | row for row in means(axis, own, key, column, at, look, shift)]
        if before is not None and name in before:
            axis.axhline(before[name], color=look["color"], linestyle=":", linewidth=0.8, zorder=1)
            drawn.append({"panel": column, "curve": f"{name} before training", "value": before[name]})
    axis.set_ylabel(words(column))
    return drawn


def accuracies(
    axis: Axes, rows: pd.DataFrame, columns: Sequence[str], key: str, at: Mapping[Hashable, float]
) -> list[dict]:
    """`means` of accuracies, with a legend and the label of the axis; returns what was drawn."""
    single, drawn = per_network(rows, [key]), []
    for index, column in enumerate(columns):
        shift = _dodge(index, len(columns), 0.02)
        own = means(axis, single, key, column, at, accuracy_look(column), shift)
        drawn += [{"panel": "accuracy", "curve": NETWORK[column]} | row for row in own]
    axis.set_ylabel("accuracy (%)")
    low, high = axis.get_ylim()
    axis.set_ylim(max(low, -5), min(high, 105))
    accuracy_legend(axis, columns)
    return drawn


def shares(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Share of the matrices in each phase at each value of `key`, over seeds and the matrices of a layer."""
    found = rows.dropna(subset=["phase"]).groupby([key, "weight_layer"], sort=False)["phase"].value_counts()
    found = found.rename("n").reset_index()
    found["share"] = found["n"] / found.groupby([key, "weight_layer"])["n"].transform("sum")
    return found


def strips(
    figure: Figure, place: SubplotSpec, rows: pd.DataFrame, key: str, at: Mapping[Hashable, float], names: Sequence[str]
) -> list[dict]:
    """For each layer a strip of cells coloured by phase along `key`, heights being shares, with the legend of the
    phases above; returns what was drawn."""
    found, drawn = shares(rows[rows["weight_layer"].isin(names)], key), []
    edges = _edges(at)
    for axis, layer in zip(_stacked(figure, place, len(names)), names, strict=True):
        own = found[found["weight_layer"] == layer].set_index([key, "phase"])["share"]
        for value, left, right in zip(at, edges[:-1], edges[1:], strict=True):
            bottom = 0.0
            for phase in PHASES:
                height = float(own.get((value, phase), 0.0))
                if height > 0:
                    axis.add_patch(cell((left, bottom), right - left, height, phase))
                    drawn.append({"panel": f"phase of {layer}", "curve": phase, "x": value, "value": height})
                    bottom += height
        turned = _ticks(axis, at, 5.0)
        axis.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), yticks=[])
        axis.spines[:].set_visible(False)
        if layer == names[-1]:
            axis.tick_params(axis="x", length=2)
            axis.set_xlabel("" if turned else words(key))
        else:
            axis.set_xticks([])
        axis.set_ylabel(style.plain(layer, 18), rotation=0, ha="right", va="center", fontsize=7.5)
        if layer == names[0]:
            handles = phase_handles(found["phase"])
            axis.legend(
                handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=max(len(handles), 1), **LEGEND,
            )  # fmt: skip
    return drawn


def _stacked(figure: Figure, place: SubplotSpec, count: int) -> list[Axes]:
    cells = place.subgridspec(count, 1)
    return [figure.add_subplot(cells[i]) for i in range(count)]


def cell(corner: tuple[float, float], width: float, height: float, phase: str) -> Rectangle:
    """A rectangle in the colour of a phase."""
    return Rectangle(corner, width, height, facecolor=PHASE_COLORS[phase], edgecolor="white", linewidth=0.3)


def phase_handles(found: Iterable[str]) -> list[Patch]:
    """Legend entries of the phases that occur."""
    present = set(found)
    return [
        Patch(facecolor=PHASE_COLORS[phase], edgecolor="0.6", linewidth=0.3, label=phase)
        for phase in PHASES
        if phase in present
    ]


def accuracy_look(column: str) -> dict[str, Any]:
    """Colour, marker and line of an accuracy: grey shades, for colours stand for layers."""
    index = list(NETWORK).index(column)
    return {"color": ("black", "0.6", "#8c564b")[index], "marker": "o^s"[index], "linestyle": ("-", ":", "--")[index]}


def accuracy_legend(axis: Axes, columns: Sequence[str]) -> None:
    """Names of the accuracies in an axis."""
    handles = [Line2D([], [], label=NETWORK[column], markersize=3.5, **accuracy_look(column)) for column in columns]
    axis.legend(handles=handles, fontsize=6.5, handlelength=2)


def footnote(figure: Figure, *sentences: str | bool) -> None:
    """`style.footnote` with as many sentences on a line as fit."""
    lines, room = [[]], 0.0
    for sentence in filter(None, sentences):
        length = len(re.sub(r"\\[a-z]+|[\\${}^!]", "", sentence)) + 2
        if lines[-1] and length > room:
            lines.append([])
        room = (room if lines[-1] else _LINE) - length
        lines[-1].append(sentence)
    style.footnote(figure, ".\n".join(". ".join(line) for line in lines))


def layer_handles(names: Sequence[str], **looks: Any) -> list[Line2D]:
    """Legend entries of layers, by their place in the list."""
    return [Line2D([], [], label=style.plain(name, 24), **style.look(i) | looks) for i, name in enumerate(names)]


def _dodge(index: int, count: int, width: float) -> float:
    """Shift of the index-th of several series along an axis from 0 to 1, so that their intervals stand apart."""
    return width * (index - (count - 1) / 2) / max(count - 1, 1)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)) and value == value


def _too_long(at: Mapping[Hashable, float], inches: float) -> bool:
    """Whether labels at equal distances would run into each other."""
    room = inches / max(len(at) - 1, 1) if len(at) > 1 else inches
    return max(len(printed(value)) for value in at) * 0.058 + 0.05 > room


def _logarithmic_axis(values: Sequence[Any], axis: str) -> bool:
    """Whether the axis is logarithmic: two positive numbers at least, none negative, and varied by factors."""
    if not all(_number(value) for value in values) or axis in _LINEAR or min(values, default=0) < 0:
        return False
    positive = [value for value in values if value > 0]
    return len(positive) > 1 and (axis in _LOGARITHMIC or max(positive) >= _SPREAD * min(positive))


def _edges(at: Mapping[Hashable, float]) -> list[float]:
    """Ends of the cells around the positions: half way to the next, and as far beyond the first and the last."""
    positions = np.array(list(at.values()))
    if len(positions) < 2:
        return [positions[0] - 0.5, positions[0] + 0.5] if len(positions) else [0.0, 1.0]
    middle = (positions[1:] + positions[:-1]) / 2
    return [2 * positions[0] - middle[0], *middle, 2 * positions[-1] - middle[-1]]
