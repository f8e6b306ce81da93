"""Every number of the sweeps of trainings that a paper's text may want, ready to print.

Flags: training.any; training.<part> where a sweep plays that part (PARTS) and not all of its networks diverged;
training.<part>.diverged where some did.

training.n_sweeps, n_networks, n_diverged, n_spectra    of all sweeps
training.<part>.<...>           title, n_networks, n_seeds, n_diverged, layers of the sweep that plays the part
training.batch_size.<...>       values, least, greatest, best; <column>_least and _greatest: mean over seeds with half
                                its 95 % interval, of final states and layers; phases: of each layer by batch size
training.epochs.<...>           last, n_states; <column>_start and _end
training.labels.<...>           values, least, greatest; <column>_least and _greatest
training.plane.<...>            axes; test_accuracy_least and _greatest: the networks that generalize worst and best
training.regularization.<...>   axis, labels
training.n_<target>, tau_<metric>_<target>   Kendall's τ over the trainings of all sweeps with its interval
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from htsr.statistics.metrics_table import POOLED
from htsr.statistics.student import student
from htsr.tables.latex import escape, integer, number, with_interval
from htsr.tables.results import series_title
from htsr.tables.sweeps import METRICS, commonest, final_layers
from htsr.tables.theory import plus_minus
from htsr.tables.values import Values

PARTS = ("batch_size", "epochs", "labels", "plane", "regularization")

_OF_NETWORKS = ("train_accuracy", "true_accuracy", "test_accuracy")
_OF_LAYERS = (
    *("stable_rank", "mp_softrank", "entropy", "n_spikes", "n_traps", "alpha", "log_norm", "log_spectral_norm"),
    "distance",
)


def collect(
    values: Values,
    layers: pd.DataFrame | None,
    networks: pd.DataFrame | None,
    regressions: pd.DataFrame | None,
    parts: Mapping[str, str | None],
    axes: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
) -> None:
    """Add the values of collect_sweep and of the regressions on its networks, and the flags in any case.

    layers, networks: of all sweeps together; parts: the sweep that plays each part; axes, titles: of each sweep.
    """
    shown = {} if layers is None else _shown(layers, networks, parts)
    values.flag("training.", any=layers is not None, **{part: part in shown for part in PARTS})
    if layers is None:
        return
    values.put(
        "training.",
        n_sweeps=integer(networks["series"].nunique()),
        n_networks=integer(len(networks)),
        n_diverged=integer((networks["status"] != "ok").sum()),
        n_spectra=integer(len(layers)),
    )
    _regressions(values, regressions)
    for part, (own, rows) in shown.items():
        sweep = parts[part]
        _sweep(values, f"training.{part}.", series_title(sweep, titles), own, rows)
        _OF_PARTS[part](values, f"training.{part}.", rows, list(axes[sweep]), own)


def _shown(layers: pd.DataFrame, networks: pd.DataFrame, parts: Mapping[str, str | None]) -> dict[str, tuple]:
    """Networks and, of those that did not diverge, matrices of the sweep that plays each part, where there are any."""
    shown = {}
    for part in PARTS:
        own = networks[networks["series"] == parts.get(part)]
        good = own.loc[own["status"] == "ok", "model"]
        rows = layers[(layers["sweep"] == parts.get(part)) & layers["network"].isin(good)]
        if len(rows):
            shown[part] = own, rows
    return shown


def _sweep(values: Values, prefix: str, title: str, networks: pd.DataFrame, rows: pd.DataFrame) -> None:
    lost = int((networks["status"] != "ok").sum())
    values.put(
        prefix,
        title=title,
        dataset=escape(networks["dataset"].iloc[0]),
        n_networks=integer(len(networks)),
        n_seeds=integer(networks["seed"].nunique()),
        n_diverged=integer(lost),
        layers=", ".join(map(escape, rows["weight_layer"].drop_duplicates())),
    )
    values.flag(prefix, diverged=lost > 0)


def _regressions(values: Values, regressions: pd.DataFrame) -> None:
    own = regressions[regressions["series"] == POOLED]
    for (metric, target), rows in own.groupby(["metric", "target"], sort=False):
        row = rows.iloc[0]
        if metric in METRICS:
            tau = with_interval(row["kendall_tau"], row["kendall_low"], row["kendall_high"])
            values.put("training.", **{f"tau_{metric}_{target}": tau, f"n_{target}": integer(row["n"])})


def _means(values: Values, prefix: str, end: str, rows: pd.DataFrame) -> None:
    """Means over seeds, of networks and of the layers of networks, each with half its interval."""
    of_networks = rows.drop_duplicates(["network", "epoch"]).groupby("seed")
    of_layers = rows.groupby(["seed", "network", "weight_layer"])[list(_OF_LAYERS)].mean().groupby("seed")
    for names, groups in ((_OF_NETWORKS, of_networks), (_OF_LAYERS, of_layers)):
        for name in names:
            found = student(groups[name].mean().to_numpy(float))
            values.put(prefix, **{f"{name}_{end}": plus_minus(found.mean, found.high - found.mean)})


def _ends(values: Values, prefix: str, rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The final states; what the networks at the ends of an axis of numbers are like."""
    final = rows[rows["final"].astype(bool)]
    at = sorted(final[axis].unique())
    values.put(prefix, values=", ".join(f"{value:g}" for value in at), least=f"{at[0]:g}", greatest=f"{at[-1]:g}")
    for end, value in (("least", at[0]), ("greatest", at[-1])):
        _means(values, prefix, end, final[final[axis] == value])
    return final


def _batch_size(values: Values, prefix: str, rows: pd.DataFrame, axes: list[str], networks: pd.DataFrame) -> None:
    final = _ends(values, prefix, rows, "batch_size")
    accuracy = final.drop_duplicates("network").groupby("batch_size")["test_accuracy"].mean()
    told = []
    for layer, own in final_layers(rows, networks, networks["series"].iloc[0]).groupby("weight_layer", sort=False):
        at = own.groupby("batch_size")["phases"].agg(lambda cells: commonest([p for cell in cells for p in cell])[0])
        runs = at.groupby((at != at.shift()).cumsum(), sort=False)
        each = [f"{run.iloc[0] or 'none'} ({_range(run.index)})" for _, run in runs]
        told.append(f"{escape(layer)}: {escape(', '.join(each))}")
    values.put(prefix, best=f"{accuracy.idxmax():g}", phases="; ".join(told))


def _range(values: pd.Index) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _epochs(values: Values, prefix: str, rows: pd.DataFrame, axes: list[str], networks: pd.DataFrame) -> None:
    values.put(prefix, last=integer(rows["epoch"].max()), n_states=integer(rows["epoch"].nunique()))
    _means(values, prefix, "start", rows[rows["epoch"] == 0])
    _means(values, prefix, "end", rows[rows["final"].astype(bool)])


def _labels(values: Values, prefix: str, rows: pd.DataFrame, axes: list[str], networks: pd.DataFrame) -> None:
    _ends(values, prefix, rows, "label_noise")


def _plane(values: Values, prefix: str, rows: pd.DataFrame, axes: list[str], networks: pd.DataFrame) -> None:
    final = rows[rows["final"].astype(bool)].drop_duplicates("network")
    cells = final.groupby(axes)["test_accuracy"].mean()
    values.put(
        prefix,
        axes=" and ".join(escape(axis.replace("_", " ")) for axis in axes),
        test_accuracy_least=number(cells.min(), 1),
        test_accuracy_greatest=number(cells.max(), 1),
    )


def _regularization(values: Values, prefix: str, rows: pd.DataFrame, axes: list[str], networks: pd.DataFrame) -> None:
    labels = networks[axes[0]].drop_duplicates().map(str)
    values.put(prefix, axis=escape(axes[0].replace("_", " ")), labels=", ".join(map(escape, labels)))


_OF_PARTS = {
    "batch_size": _batch_size,
    "epochs": _epochs,
    "labels": _labels,
    "plane": _plane,
    "regularization": _regularization,
}
