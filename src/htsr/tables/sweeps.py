"""The tables of the training experiments: batch sizes, regularizers, and what goes with error and gap in sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from htsr.metrics.columns import COLUMNS
from htsr.metrics.phase import PHASES
from htsr.statistics.metrics_table import POOLED
from htsr.statistics.student import Student, student
from htsr.tables.labels import MATRIX
from htsr.tables.latex import Column, Heading, escape, integer, missing, number, probability, table, with_interval
from htsr.tables.results import series_title, symbol

METRICS = ("alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "stable_rank", "distance")
_PUBLISHED = ("batch_size", "train_accuracy", "test_accuracy", "stable_rank", "mp_softrank", "phase")
_SEEDS = r"Means over seeds $\pm$ half their 95\,\% interval (Student's $t$)"


def final_layers(layers: pd.DataFrame, networks: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """Final states of the networks of a sweep that did not diverge, one row for each network and layer.

    layers, networks: of all sweeps (collect_sweep). Numbers are means over the matrices of a layer; `phases` lists
    theirs.
    """
    good = networks.loc[(networks["series"] == sweep) & (networks["status"] == "ok"), "model"]
    rows = layers[(layers["sweep"] == sweep) & layers["network"].isin(good) & layers["final"].astype(bool)]
    keys = ["network", "weight_layer"]
    numbers = [name for name in rows.select_dtypes("number") if name not in keys]
    groups = rows.groupby(keys, sort=False)
    return groups[numbers].mean().assign(phases=groups["phase"].agg(list)).reset_index()


def commonest(phases: Sequence[Any]) -> tuple[str, float]:
    """The phase that most of the matrices have, the earlier of equals, and its share; "" and NaN for none."""
    known = [name for name in phases if not missing(name)]
    if not known:
        return "", np.nan
    counts = {name: known.count(name) for name in PHASES if name in known}
    name = max(counts, key=counts.get)
    return name, counts[name] / len(known)


def batch_size(
    layers: pd.DataFrame, networks: pd.DataFrame, sweep: str, published: Mapping[str, Any], normalization: str
) -> str:
    """One row for each batch size and layer: accuracies, measures of the final weights and the commonest phase.

    published: `published.batch_size` of the configuration, whose `values` are lists of equal length; they follow under
    a heading of their own, since they are of another network.
    """
    columns = [
        Column("batch"),
        Column("layer", "l"),
        Column("train (\\%)"),
        Column("test (\\%)"),
        *(Column(symbol(name)) for name in ("stable_rank", "mp_softrank", "n_spikes", "alpha")),
        Column("phase", "l"),
    ]
    own = networks[networks["series"] == sweep]
    final = final_layers(layers, networks, sweep)
    rows: list = [Heading("This experiment", _counts(own))]
    for size, cell in own.groupby("batch_size"):
        good = cell[cell["status"] == "ok"]
        accuracies = [spread(good[name], 1) for name in ("train_accuracy", "accuracy")]
        mine = final[final["network"].isin(good["model"])]
        for index, (layer, rows_of) in enumerate(mine.groupby("weight_layer", sort=False)):
            first = [integer(size), escape(layer), *accuracies] if index == 0 else ["", escape(layer), "", ""]
            rows.append([*first, *_measures(rows_of, {"stable_rank": 1, "mp_softrank": 2, "n_spikes": 1, "alpha": 2})])
        if mine.empty:
            rows.append([integer(size), "--", *accuracies, *["--"] * 4, f"all {len(cell)} diverged"])
    note = rf"{_SEEDS}; phase: the commonest, with its share of the matrices of all seeds where not all agree. "
    note += f"Eigenvalues of {MATRIX[normalization]}."
    if published:
        rows.append(Heading(escape(published["network"]), escape(published["source"])))
        numbers = pd.DataFrame(published["values"]).reindex(columns=_PUBLISHED)
        for entry in numbers.sort_values("batch_size").to_dict("records"):
            cells = [integer(entry["batch_size"]), escape(published["layer"])]
            cells += [number(entry[name], 1) for name in ("train_accuracy", "test_accuracy", "stable_rank")]
            rows.append([*cells, number(entry["mp_softrank"]), "--", "--", escape(entry["phase"])])
        note += f" {escape(published['note'])}"
    return table(columns, rows, note)


def regularization(layers: pd.DataFrame, networks: pd.DataFrame, sweep: str, axis: str, normalization: str) -> str:
    """One row for each label of an axis: test accuracy, gap, and means over the layers of the final weights."""
    names = {"stable_rank": 1, "mp_softrank": 2, "n_spikes": 1, "alpha": 2, "log_norm": 3, "distance": 3}
    columns = [Column(escape(axis, breakable=True), 1.1), Column("test (\\%)"), Column("gap")]
    columns += [Column(_symbol(name)) for name in names]
    own, final = networks[networks["series"] == sweep], final_layers(layers, networks, sweep)
    rows: list = [Heading("All networks", _counts(own))]
    for label, cell in own.groupby(axis, sort=False):
        good = cell[cell["status"] == "ok"]
        means = final[final["network"].isin(good["model"])].groupby("network")[list(names)].mean()
        lost = len(cell) - len(good)
        text = escape(label) + (f" ({lost} of {len(cell)} diverged)" if lost else "")
        cells = [spread(good[name], 1) for name in ("accuracy", "gap")]
        rows.append([text, *cells, *(spread(means[name], digits) for name, digits in names.items())])
    note = f"{_SEEDS}, of means over the layers; gap: training less test accuracy in percentage points. "
    return table(columns, rows, note + f"Eigenvalues of {MATRIX[normalization]}.")


def sweep_regressions(regressions: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Kendall's τ of test error and gap with each metric over the trainings of every sweep and of all, with intervals.

    regressions: regress_accuracy of the networks of all sweeps. titles: printed names of the sweeps.
    """
    targets = [name for name in ("error", "gap") if (regressions["target"] == name).any()]
    columns = [Column("metric", "l"), Column("$n$")]
    for target in targets:
        columns += [Column(rf"$\tau$ with {target} [95\,\%]", "l"), Column(symbol("p_value"))]
    rows: list = []
    for series, own in regressions.groupby("series", sort=False):
        title = "All sweeps, within sweeps" if series == POOLED else series_title(series, titles)
        rows.append(Heading(title))
        own = own[own["metric"].isin(METRICS)]
        if own["kendall_tau"].isna().all():
            rows[-1] = Heading(f"{title}: none" + (f" ({escape(own['status'].iloc[0])})" if len(own) else ""))
            continue
        for metric in METRICS:
            found = own[own["metric"] == metric].set_index("target")
            if len(found):
                cells = [cell for target in targets for cell in _tau(found.loc[target])]
                rows.append([_symbol(metric), integer(found["n"].max()), *cells])
    note = "Each training is one point, the mean over its seeds; gap: training less test accuracy. A positive "
    return table(columns, rows, note + r"$\tau$ says that smaller is better. $p$: permutations within sweeps.")


def spread(values: pd.Series, digits: int) -> str:
    """Mean over seeds and, smaller, half its interval; the mean alone where one seed or equal values give none."""
    return half_width(student(values.to_numpy(float)), digits)


def half_width(found: Student, digits: int) -> str:
    """A mean ± half its interval."""
    if missing(found.low):
        return number(found.mean, digits)
    return rf"{number(found.mean, digits)}{{\scriptsize$\pm${number(found.high - found.mean, digits)}}}"


def _measures(rows: pd.DataFrame, names: Mapping[str, int]) -> list[str]:
    name, share = commonest([phase for phases in rows["phases"] for phase in phases])
    text = escape(name) + ("" if missing(share) or share == 1 else rf"~{100 * share:.0f}\,\%")
    return [*(spread(rows[column], digits) for column, digits in names.items()), text]


def _tau(row: pd.Series) -> list[str]:
    return [with_interval(row["kendall_tau"], row["kendall_low"], row["kendall_high"]), probability(row["kendall_p"])]


def _symbol(name: str) -> str:
    return symbol(name) if name in COLUMNS else escape(name)


def _counts(networks: pd.DataFrame) -> str:
    lost = int((networks["status"] != "ok").sum())
    seeds = networks["seed"].nunique()
    text = f"{len(networks)} networks, {seeds} {'seed' if seeds == 1 else 'seeds'}"
    return text + (f", {lost} of them diverged and left out" if lost else "")
