"""Loss and accuracy along random directions, unnormalized and filter-normalized, by the settings of trainings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from htsr.figures import style, surfaces, sweeps

MOST = 6  # columns of a figure, and curves of a panel, that can be told apart
LINES = {"train": "-", "test": "--"}
_PLACES = ["network", "column", "curve", "look"]
_TREATMENT = ["normalization", "batch_norm", "low", "high"]
DIRECTIONS = {"none": "unnormalized", "layer": "layer-normalized", "filter": "filter-normalized"}
_DRAWN = [
    *("normalization", "batch_norm", "column", "panel", "curve", "network", "a", "value", "low", "high"),
    *("n", "n_nonfinite", "error"),
]


def draw(
    points: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    compared: str = "batch_size",
    named: bool = True,
    log: bool = True,
) -> tuple[Figure, pd.DataFrame]:
    """Loss and, below it, accuracy along random directions: two rows for each normalization and policy of batch norm, a
    column for each combination of settings, a curve for each value of the setting `compared`.

    points: of collect_surfaces, of which the lines along random directions are drawn; networks: tables of sweeps and
    series, put together; axes: settings that each sweep varies; dataset: name of the images. Where no sweep varies
    `compared` and `named`, each network has a curve, and each sweep or series a column. log: whether losses have a
    logarithmic axis. Curves are means over directions (and seeds of the training), bands reach from the least to the
    greatest.
    Returns the figure and what it shows: normalization, batch_norm, column, panel (train_loss ... test_accuracy),
    curve, network (the first one, where a curve is of several seeds), a, value, low, high, n (lines), n_nonfinite (of
    these with a value that is not finite), error (percent, mean over the networks).
    """
    rows = _single(points[(points["plane"] == "random") & (points["dimensions"] == 1)])
    known = surfaces.known(networks)
    names = list(dict.fromkeys(rows["network"]))
    places, apart = _compared(names, known, axes, compared), True
    if places.empty and named:
        places, apart = _named(names, known, axes), False
    if places.empty:
        text = "No loss of such networks was measured along a random direction."
        return style.message(text), pd.DataFrame(columns=_DRAWN)
    columns = list(dict.fromkeys(places["column"]))[: MOST if apart else 3]
    shown = places[places["column"].isin(columns) & (places["look"] < MOST)]
    rows = rows.merge(shown, on="network")
    rows["error"] = [known.get(name, {}).get("error", np.nan) for name in rows["network"]]
    treatments = _treatments(rows)
    figure = style.new_figure(1.4 + 2.1 * len(treatments))
    pairs = _panels(figure, treatments, len(columns))
    splits = [split for split in LINES if (rows[f"{split}_examples"] > 0).any()]
    drawn = []
    for treatment, pair in zip(treatments, pairs, strict=True):
        own = rows[(rows[_TREATMENT] == list(treatment)).all(axis=1)]
        for column, (losses, accuracies) in zip(columns, pair.T, strict=True):
            part = own[own["column"] == column]
            drawn += _panel(losses, part, "loss") + _panel(accuracies, part, "accuracy")
            losses.set(xlim=treatment[2:], yscale="log" if log else "linear")
            losses.tick_params(labelbottom=False)
            accuracies.set(xlim=treatment[2:], ylim=(-4, 104), yticks=[0, 50, 100])
            accuracies.set_xlabel("$a$", labelpad=0)
            accuracies.xaxis.set_major_locator(MaxNLocator(2 if len(columns) > 2 else 4, steps=[1, 2, 5, 10]))
    told = _legends(figure, pairs[0][0], columns, shown, rows, splits, apart=apart)
    drawn = pd.DataFrame(drawn, columns=_DRAWN)
    measured = [rows.loc[rows[f"{split}_examples"] > 0, f"{split}_loss"] for split in splits]
    lost = len(set(names) - set(shown["network"]))
    sweeps.footnote(
        figure,
        surfaces.images(rows, dataset, splits),
        surfaces.directions(rows),
        surfaces.policy(rows),
        _counted(rows),
        told,
        surfaces.not_finite(pd.concat(measured), "Crosses"),
        bool(lost) and f"{style.counted(lost, 'other network')} not shown",
    )
    return figure, drawn


def _single(rows: pd.DataFrame) -> pd.DataFrame:
    """The points with the ends `low`, `high` of their lines; where several surfaces have lines of one network with one
    treatment and length, those of the first."""
    rows = rows.assign(normalization=rows["normalization"].fillna("none"))
    along = rows.groupby(["surface", "network"], sort=False)["a"]
    rows = rows.assign(low=along.transform("min"), high=along.transform("max"))
    first = rows.groupby(["network", *_TREATMENT], sort=False)["surface"].transform("first")
    return rows[rows["surface"] == first]


def _compared(
    names: Sequence[str], known: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]], compared: str
) -> pd.DataFrame:
    """The networks of sweeps that vary a setting, in the order of their columns: network, column, curve (in words) and
    look, the number of the curve. Empty where none or only one value of the setting is there."""
    among = [name for name in names if compared in axes.get(known.get(name, {}).get("series"), ())]
    others = [axis for axis in surfaces.varied(among, known, axes) if axis != compared]
    values = {
        axis: [str(value) for value in sweeps.ordered(known[name].get(axis) for name in among)]
        for axis in [*others, compared]
    }
    if len(set(values[compared])) < 2:
        among = []
    found = []
    for name in among:
        place = [own.index(str(known[name].get(axis))) for axis, own in values.items()]
        column = "\n".join(surfaces.setting(axis, known[name].get(axis)) for axis in others)
        found.append((place, name, column, surfaces.setting(compared, known[name][compared]), place[-1]))
    return pd.DataFrame([row[1:] for row in sorted(found)], columns=_PLACES)


def _named(names: Sequence[str], known: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """As `_compared`, for any networks: a column for each sweep or series, a curve for each network."""
    titles = surfaces.titles(names, known, axes, width=30)
    columns = [sweeps.printed(known.get(name, {}).get("series", "")) for name in names]
    found = pd.DataFrame({"network": names, "column": columns, "curve": [titles[name] for name in names]})
    return found.assign(look=found.groupby("column").cumcount())[_PLACES]


def _panels(figure: Figure, treatments: Sequence[tuple], columns: int) -> list[np.ndarray]:
    """For each treatment an array 2 x columns of axes, losses above accuracies, with words for the treatment beside."""
    place = figure.add_gridspec(
        2 * len(treatments), columns + 1, height_ratios=[1.5, 0.9] * len(treatments),
        width_ratios=[1] * columns + [0.3 * columns / style.WIDTH],
    )  # fmt: skip
    axes = place.subplots(squeeze=False, sharey="row")
    for i, (normalization, batch_norm, *_) in enumerate(treatments):
        for axis in axes[2 * i : 2 * i + 2, -1]:
            axis.remove()
        beside = figure.add_subplot(place[2 * i : 2 * i + 2, -1])
        beside.set_axis_off()
        words = f"{DIRECTIONS[normalization]},\nbatch norm {batch_norm}"
        beside.text(0.5, 0.5, words, fontsize=7, rotation=-90, ha="center", va="center", in_layout=False)
        axes[2 * i, 0].set_ylabel("loss")
        axes[2 * i + 1, 0].set_ylabel("acc. (%)")
    return [axes[2 * i : 2 * i + 2, :-1] for i in range(len(treatments))]


def _treatments(rows: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    """The normalizations and policies of batch norm that occur, each with the ends of its lines."""
    found = rows[_TREATMENT].drop_duplicates().itertuples(index=False, name=None)
    order = [*DIRECTIONS], [*surfaces.BATCH_NORM]
    return sorted(found, key=lambda row: (order[0].index(row[0]), order[1].index(row[1]), row[2:]))


def along(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean of a column over lines at each a, its least and greatest value: a, value, low, high, n, n_nonfinite.

    Of several lines the points of level 0, which they share. A mean with a value that is not finite is none.
    """
    lines = rows.groupby(["surface", "network", "seed"], sort=False).ngroups
    own = rows if lines == 1 else rows[rows["level"] == 0]
    found = own.assign(value=own[column].where(np.isfinite(own[column]))).groupby("a")["value"]
    found = found.agg(value="mean", low="min", high="max", n="size", finite="count").reset_index()
    found["n_nonfinite"] = found["n"] - found.pop("finite")
    return found.assign(value=found["value"].where(found["n_nonfinite"] == 0))


def _panel(axis: Axes, rows: pd.DataFrame, quantity: str) -> list[dict[str, Any]]:
    """Loss or accuracy along a for every curve of a panel; returns what was drawn."""
    drawn = []
    if rows.empty:
        axis.text(0.5, 0.5, "not measured", color="0.5", fontsize=7, ha="center", transform=axis.transAxes)
    axis.axvline(0, color=style.SHADE, linewidth=0.8, zorder=0)
    for look, of_curve in rows.groupby("look"):
        for split, line in LINES.items():
            own = of_curve[of_curve[f"{split}_examples"] > 0]
            if own.empty:
                continue
            column, color = f"{split}_{quantity}", style.COLORS[look]
            found = along(own, column)
            axis.plot(found["a"], found["value"], line, color=color, zorder=3)
            if (found["n"] > 1).any():
                axis.fill_between(found["a"], found["low"], found["high"], color=color, alpha=0.22, linewidth=0)
            mark(axis, found.loc[found["n_nonfinite"] > 0, "a"], color, look)
            keys = own.iloc[0][["normalization", "batch_norm", "column", "curve", "network"]].to_dict()
            keys |= {"panel": column, "error": own.drop_duplicates("network")["error"].mean()}
            drawn += [keys | row for row in found.to_dict("records")]
    return drawn


def mark(axis: Axes, at: Iterable[float], color: str, level: int = 0) -> None:
    """Crosses at the top of an axis, where a loss is not finite; level: of several rows of them."""
    at = list(at)
    if not at:
        return  # an empty line that is not clipped has no place on the page, and the layout fails
    heights, place = [0.97 - 0.07 * level] * len(at), axis.get_xaxis_transform()
    axis.plot(at, heights, "x", color=color, markersize=3, transform=place, zorder=4, clip_on=False)


def _legends(
    figure: Figure,
    top: Sequence[Axes],
    columns: Sequence[str],
    shown: pd.DataFrame,
    rows: pd.DataFrame,
    splits: Sequence[str],
    *,
    apart: bool,
) -> str:
    """Names of columns and curves, with test errors, and a sentence on these; apart: one legend for all columns."""
    errors = rows.drop_duplicates("network").groupby(["column", "curve"])["error"].mean()
    known = bool(errors.notna().any())
    of_splits = [Line2D([], [], color="0.3", linestyle=LINES[key], label=surfaces.SPLITS[key]) for key in splits]
    of_splits = of_splits if len(splits) > 1 else []
    if apart:
        curves = shown.drop_duplicates("look").sort_values("look")
        handles = [_handle(row["look"], row["curve"]) for row in curves.to_dict("records")]
        figure.legend(handles=handles + of_splits, loc="outside upper center", ncols=4)
        for axis, column in zip(top, columns, strict=True):
            told = [_percent(errors.get((column, curve), np.nan)) for curve in curves["curve"]]
            words = f"{column}\n({', '.join(told)})" if known else column
            axis.set_title(words.strip(), fontsize=7, pad=3, linespacing=1.15)
        return "In brackets: test errors (%) in the order of the legend" if known else ""
    for axis, column in zip(top, columns, strict=True):
        handles = [
            _handle(row["look"], f"{row['curve']} ({_percent(errors.get((column, row['curve']), np.nan))})")
            for row in shown[shown["column"] == column].to_dict("records")
        ]
        axis.legend(
            handles=handles + of_splits, title=column, loc="lower center", bbox_to_anchor=(0.5, 1.0), **sweeps.LEGEND
        )
    return "In brackets: test errors (%)" if known else ""


def _handle(look: int, label: str) -> Line2D:
    return Line2D([], [], color=style.COLORS[look], label=label)


def _percent(error: float) -> str:
    return f"{error:.1f}" if np.isfinite(error) else "–"


def _counted(rows: pd.DataFrame) -> str:
    """How many directions and trainings a curve is the mean of."""
    directions = sorted(set(rows.groupby(["surface", "network"])["seed"].nunique()))
    trainings = sorted(set(rows.groupby(["column", "curve"])["network"].nunique()))
    words = f"{' or '.join(map(str, directions))} {'direction' if directions == [1] else 'directions'}"
    if trainings != [1]:
        words += f" and {' or '.join(map(str, trainings))} trainings"
    return f"Means over {words}, bands from the least to the greatest" if words != "1 direction" else "One direction"
