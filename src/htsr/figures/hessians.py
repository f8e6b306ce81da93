"""What the figures of Hessians share: whose rows are drawn, their names, looks of states, and what footnotes say.

The tables of a set (compute_hessian/{set}.csv and others of that name) have one row or more for each network and epoch;
the settings of the networks stand in collect_sweep/{sweep}_networks.csv or collect_metrics/{series}.csv.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from htsr.figures import jacobians, style, surfaces

WHOLE = "all"  # the layer that stands for all parameters
BATCH_NORM = "Batch norm with its running statistics"
STATE = ["network", "epoch"]


def titles(names: Iterable[str], networks: pd.DataFrame, axes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """`surfaces.titles`, with the name of a model above its title, which need not say what kind of network it is."""
    known = surfaces.known(networks)
    found = surfaces.titles(names, known, axes, width=34)
    models = [name for name in found if name in known and not axes.get(known[name]["series"])]
    above = {name: style.plain(name, 34) for name in models}
    return found | {name: f"{above[name]}\n{found[name]}" for name in models if found[name] != above[name]}


def of_states(ends: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """The rows of `whole` of the networks and epochs of another table."""
    wanted = states[STATE].astype({"epoch": float}).drop_duplicates()
    return whole(ends).merge(wanted, on=STATE)


def line(title: str) -> str:
    """A title on one line, for tables."""
    return title.replace("\n", ", ")


def whole(ends: pd.DataFrame) -> pd.DataFrame:
    """The rows of all parameters, one a network and epoch: that with the most examples, where several sets have it."""
    rows = once(ends)
    return rows[rows["layer"] == WHOLE]


def once(ends: pd.DataFrame) -> pd.DataFrame:
    """The rows of each network and epoch from the set that took the most examples of it, in the order of the table."""
    known = ends.assign(epoch=ends["epoch"].astype(float))
    most = known.groupby(STATE, dropna=False)["n_examples"].transform("max")
    return known[known["n_examples"] == most].drop_duplicates([*STATE, "layer"])


def trained(rows: pd.DataFrame) -> pd.Series:
    """Whether each row is of its network's last measured epoch; networks without epochs are in their only state."""
    last = rows.groupby("network")["epoch"].transform("max")
    return rows["epoch"].isna() | ((rows["epoch"] == last) & (rows["epoch"] > 0))


def state_words(epoch: float, is_trained: bool) -> str:
    """What a state of a network is called."""
    return "untrained" if epoch == 0 else "trained" if is_trained else f"epoch {epoch:g}"


def of_state(rows: pd.DataFrame, network: str, epoch: float) -> pd.DataFrame:
    """The rows of a network at an epoch, NaN for a network without epochs."""
    own = rows[rows["network"] == network]
    return own[own["epoch"].isna() if np.isnan(epoch) else own["epoch"] == epoch]


def examples(ends: pd.DataFrame, dataset: str) -> str:
    """Which examples the loss is a mean of, for a footnote; "" where no table says so."""
    return f"Mean loss of {jacobians.images(ends, dataset)}" if len(ends) else ""


def failures(rows: pd.DataFrame) -> str:
    """A sentence that counts the rows whose status says that numbers are missing or have wide bounds."""
    counts = rows.loc[rows["status"] != "ok", "status"].value_counts()
    return "; ".join(f"{style.counted(count, 'state')}: {style.plain(status, 60)}" for status, count in counts.items())


def log_axis(axis: Axes, which: str, values: Any, narrow: bool = False) -> None:
    """A logarithmic axis, `x` or `y`, around the positive values; a linear one where there are none.

    It has few ticks; narrow: one in two decades, where there are more than two.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return
    low, high = values.min() / 1.5, values.max() * 1.5
    getattr(axis, f"set_{which}scale")("log")
    getattr(axis, f"set_{which}lim")(low, high)
    side, decades = getattr(axis, f"{which}axis"), np.log10(high / low)
    side.set_major_locator(
        LogLocator(100 if narrow and decades >= 2.2 else 10, subs=(1,), numticks=6)
        if narrow or decades >= 2.2
        else LogLocator(subs=(1, 2, 5) if decades < 1.2 else (1, 3), numticks=6)
    )
    side.set_minor_locator(LogLocator(subs=range(2, 10), numticks=60) if decades < 4 else NullLocator())
    side.set_minor_formatter(NullFormatter())
    if decades < 2.2:
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
