"""Loss and accuracy in the course of training, series by series."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import style

MOST = 6  # series that fit on a page
NAMED = 6  # models of a series that have each their own colour and a name; more are thin lines about their median
_KINDS = {
    "loss": {"loss": "training", "test_loss": "test"},
    "accuracy": {"train_accuracy": "training", "true_accuracy": "training, true labels", "test_accuracy": "test"},
}
_LINES = {"training": "-", "training, true labels": ":", "test": "--"}
_COLORS = dict(zip(_LINES, style.COLORS, strict=False))
_DRAWN = ["series", "model", "panel", "curve", "x", "y"]


def draw(
    histories: Sequence[pd.DataFrame], models: Sequence[str], series: Sequence[str], titles: Mapping[str, str]
) -> tuple[Figure, pd.DataFrame]:
    """A row of panels for each series: loss on a logarithmic axis, and accuracies in percent, against the epoch.

    histories: of train_model; models, series: printed name and series of each; titles: printed names of the series.
    Accuracy on the training images against their true labels is drawn where it differs from that against the labels
    trained on. Returns the figure and what it shows: series, model (or "median"), panel, curve, x (epoch), y.
    """
    rows = [
        history.assign(series=name, model=model) for history, model, name in zip(histories, models, series, strict=True)
    ]
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    if table.empty:
        return style.message("No network of this experiment was trained here."), pd.DataFrame(columns=_DRAWN)
    order = list(dict.fromkeys(series))
    shown = order[:MOST]
    figure = style.new_figure(0.7 + (1.9 if len(shown) <= 3 else 1.35) * len(shown))
    panels = figure.subplots(len(shown), 2, squeeze=False)
    drawn, kinds = [], set()
    for axes, name in zip(panels, shown, strict=True):
        own = table[table["series"] == name]
        for axis, (panel, columns) in zip(axes, _KINDS.items(), strict=True):
            found = _panel(axis, own, columns)
            drawn += [{"series": name, "panel": panel} | row for row in found]
            kinds |= {row["curve"] for row in found}
        few = list(dict.fromkeys(own["model"])) if own["model"].nunique() <= NAMED else []
        axes[0].set_title(style.series_title(name, titles, 46), fontsize=7.5, loc="left", pad=3)
        if few:
            handles = [Line2D([], [], color=_color(i), label=style.plain(m, 26)) for i, m in enumerate(few)]
        else:
            text = f"{own['model'].nunique()} networks,\ntheir median"
            handles = [Line2D([], [], color="0.4", linewidth=1.6, label=text)]
        axes[1].legend(
            handles=handles, fontsize=6, handlelength=1.2, labelspacing=0.25, loc="center left", bbox_to_anchor=(1, 0.5)
        )
        axes[0].set(ylabel="loss", yscale="log")
        axes[1].set_ylabel("accuracy (%)")
    for axis in panels[-1]:
        axis.set_xlabel("epoch")
    handles = [Line2D([], [], color="0.2", linestyle=_LINES[kind], label=kind) for kind in _LINES if kind in kinds]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    last = table.groupby(["series", "model"], sort=False)["loss"].nth(-1)
    diverged, beyond = int((~np.isfinite(last)).sum()), len(order) - len(shown)
    style.footnote(
        figure,
        diverged and f"{style.counted(diverged, 'network')} diverged: drawn up to there",
        beyond > 0 and f"{style.counted(beyond, 'series', 'series')} more not shown",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _panel(axis: Axes, own: pd.DataFrame, columns: Mapping[str, str]) -> list[dict]:
    """Every curve of one series, of true labels only where they differ; returns what was drawn."""
    many = own["model"].nunique() > NAMED
    drawn, single = [], own["epoch"].nunique() == 1
    for column, kind in columns.items():
        if column == "true_accuracy" and own[column].equals(own["train_accuracy"]):
            continue
        points = own[np.isfinite(own[column].astype(float))]
        for index, (model, curve) in enumerate(points.groupby("model", sort=False)):
            look = {"color": _COLORS[kind], "linewidth": 0.4, "alpha": 0.5} if many else {"color": _color(index)}
            axis.plot(curve["epoch"], curve[column], linestyle=_LINES[kind], marker="o" if single else None, **look)
            drawn += _rows(model, kind, curve["epoch"], curve[column])
        if many:
            course = points.groupby("epoch")[column].agg(["median", "size"])
            median = course.loc[2 * course["size"] >= course["size"].max(), "median"]  # some are evaluated more often
            axis.plot(median.index, median, color=_COLORS[kind], linestyle=_LINES[kind], linewidth=1.6)
            drawn += _rows("median", kind, median.index, median)
    return drawn


def _rows(model: str, curve: str, x: Sequence[float], y: Sequence[float]) -> list[dict]:
    return [{"model": model, "curve": curve, "x": a, "y": b} for a, b in zip(x, y, strict=True)]


def _color(index: int) -> str:
    return style.COLORS[index % len(style.COLORS)]
