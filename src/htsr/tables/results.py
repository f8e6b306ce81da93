"""The tables of a paper, from the tables of an experiment."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from htsr.metrics.columns import COLUMNS
from htsr.statistics.metrics_table import POOLED
from htsr.tables import labels
from htsr.tables.labels import MATRIX
from htsr.tables.latex import (
    Column,
    Heading,
    escape,
    integer,
    missing,
    number,
    probability,
    significant,
    table,
    with_error,
    with_interval,
)

METRICS = ("alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "log_alpha_norm", "log_stable_rank")
MOST_LAYERS = 40  # rows of layer fits that a paper can bear

_WORDS = {name: column.symbol for name, column in COLUMNS.items() if "_" in name and "$" in column.symbol}
_WORDS |= {
    "alpha": r"$\alpha$",
    "alpha-hat": r"$\hat\alpha$",
    "Alpha-hat": r"$\hat\alpha$",
    "tau": r"$\tau$",
    "mu": r"$\mu$",
    "best_fit": "best fit",
    "batch_size": "batch size",
    "batch_norm": "batch norm",
    "weight_decay": "weight decay",
    "barrier_z": "barrier over its standard error",
    "relative_barrier": "share of the straight barrier",
    "cumulative_null": "the walks' share of two components",
    "cumulative": "the share of two components",
    "ratio_difference": "difference of the ratio",
    "share_negative": "non-convex share",
    "width_nat": "$w_1$",
    "log_width_nat": r"$\log_{10}w_1$",
    "log_lambda_max": r"$\log_{10}\lambda_{\max}$",
    "log_trace": r"$\log_{10}\mathrm{tr}\,\mathbf{H}$",
    "log_filter_lambda_max": r"$\log_{10}\lambda_{\max}^{\mathrm{rel}}$",
    "log_filter_curvature": r"$\log_{10}$ mean filter curvature",
    "certain_ratio": r"$|\lambda_{\min}/\lambda_{\max}|$, bounds included,",
    "relative_gap": "relative gap",
    "barrier_beyond": "barrier beyond two standard errors",
    "label_noise": "label noise",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
    "|Delta|": r"$|\Delta|$",
    "Q^(-1/4)": r"$Q^{-1/4}$",
    "<=": r"$\leq$",
}
_NAMED = re.compile(
    rf"(?<![\w-])({'|'.join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True))})(?![\w-])"
)

BEST_FIT = (
    "Best fit: power law (PL), truncated power law (TPL), exponential (E), stretched exponential (SE) or lognormal (LN)"
)
LAWS = {"lognormal": "LN", "exponential": "E", "stretched exponential": "SE"}  # short names beside PL and TPL


def symbol(column: str) -> str:
    """The printed name of a column; one that the project does not know keeps its own."""
    return COLUMNS[column].symbol if column in COLUMNS else escape(column, breakable=True)


def prose(text: Any) -> str:
    """A sentence in LaTeX, with the symbols of the columns and statistics that it names."""
    return "".join(_WORDS.get(part) or escape(part) for part in _NAMED.split(str(text)) if part)


def series_title(series: str, titles: Mapping[str, str]) -> str:
    """The printed name of a series, in LaTeX."""
    return "All series, within series" if series == POOLED else escape(labels.series_title(series, titles))


def model_title(row: Any) -> str:
    """The printed name of a model, in LaTeX."""
    return escape(row["model"] if missing(row["title"]) else row["title"], breakable=True)


def layer_fits(layers: pd.DataFrame, metrics: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """Tail fits, one row a layer: over a layer's matrices (the slices of a convolution) their mean and range.

    layers: one row a spectrum (collect_metrics/{series}_layers.csv). metrics: one row a model. Where the table would
    have more than MOST_LAYERS rows it keeps the last model of each series, then the first rows, and says so.
    """
    shown, note = _fitting(layers, metrics)
    columns = [
        Column("layer", 1.55),
        Column("matrices"),
        *(Column(symbol(name)) for name in ("n", "m", "q")),
        Column(symbol("alpha"), "l"),
        Column(symbol("ks_distance")),
        Column(symbol("p_value")),
        Column("best fit", 1.2),
    ]
    rows: list = []
    for (series, model), own in shown.groupby(["series", "model"], sort=False):
        known = metrics[metrics["model"] == model]
        name = model_title(known.iloc[0]) if len(known) else escape(model)
        rows.append(Heading(f"{name} ({series_title(series, titles)})"))
        rows += [_layer(layer, group) for layer, group in own.groupby("weight_layer", sort=False)]
    text = r"$\alpha$: exponent [its 95\,\% bootstrap interval], or mean (least to greatest) over a layer's matrices; "
    text += rf"$D$, $p$: medians over them. {BEST_FIT}, with the number of matrices. Matrices: fitted/all where some "
    text += "failed. "
    return table(columns, rows, text + note)


def _fitting(layers: pd.DataFrame, metrics: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The layers that the table has room for, and what to say of the others."""
    if layers.groupby(["model", "weight_layer"]).ngroups <= MOST_LAYERS:
        return layers, ""
    last = metrics.groupby("series", sort=False)["model"].last()
    rest = layers["model"].nunique() - len(last)
    layers = layers[layers["model"].isin(last)]
    note = f"Only the last model of each series is shown ({rest} others left out). "
    groups = layers.groupby(["model", "weight_layer"], sort=False).ngroup()
    if groups.max() >= MOST_LAYERS:
        note += f"Only the first {MOST_LAYERS} of {groups.max() + 1} layers are shown. "
        layers = layers[groups < MOST_LAYERS]
    return layers, note


def _layer(layer: str, own: pd.DataFrame) -> list[str]:
    first, alpha = own.iloc[0], own["alpha"].dropna()
    count = integer(len(own)) if len(alpha) == len(own) else f"{integer(len(alpha))}/{integer(len(own))}"
    if not len(alpha):
        exponent, best = "--", escape(first["status"])
    elif len(own) == 1:
        exponent = with_interval(first["alpha"], first["alpha_low"], first["alpha_high"])
        best = escape(LAWS.get(first["best_fit"], first["best_fit"]))
    else:
        exponent = f"{number(alpha.mean())} ({number(alpha.min())} to {number(alpha.max())})"
        counts = own["best_fit"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
        best = ", ".join(f"{escape(LAWS.get(law, law))}~{count}" for law, count in counts.items())
    return [
        escape(layer, breakable=True),
        count,
        integer(first["n"]),
        integer(first["m"]),
        number(first["q"]),
        exponent,
        number(own["ks_distance"].median(), 3),
        probability(own["p_value"].median()),
        best or "--",
    ]


def model_metrics(
    metrics: pd.DataFrame,
    titles: Mapping[str, str],
    normalization: str,
    shown: Sequence[str] = METRICS,
    *,
    sourced: bool = False,
) -> str:
    """Means of the metrics over each model's matrices with their standard errors, and the accuracy.

    sourced: the note says whose the metrics (column `source`) and the accuracies of each series are.
    """
    columns = [Column("model", 1.05), Column("acc."), Column("spectra")]
    columns += [Column(symbol(name), "r") for name in shown]
    rows: list = []
    for series, own in metrics.groupby("series", sort=False):
        rows.append(Heading(series_title(series, titles)))
        for row in own.to_dict("records"):
            used = integer(row["n_matrices"])
            used += f"/{integer(row['n_matrices'] + row['n_failed'])}" if row["n_failed"] else ""
            cells = [with_error(row[name], row[f"{name}_stderr"]) for name in shown]
            rows.append([model_title(row), number(row["accuracy"]), used, *cells])
    note = r"Means over matrices $\pm$ standard errors; acc.: accuracy in \%; spectra: used/all where some failed; "
    note += f"eigenvalues of {MATRIX[normalization]}."
    if sourced:
        for what, column in (("Metrics", "source"), ("Accuracies", "accuracy_source")):
            for source, own in metrics.groupby(column, sort=False):
                named = ", ".join(series_title(series, titles) for series in own["series"].unique())
                note += f" {what} of {named}: {escape(source)}."
    return table(columns, rows, note)


def regressions(regressions: pd.DataFrame, titles: Mapping[str, str], normalization: str) -> str:
    """Regressions of accuracy on each metric, by series and pooled, with intervals."""
    known = of_accuracy(regressions)
    wanted = [*METRICS, "depth", *(m for m in known["metric"].unique() if m not in COLUMNS)]
    columns = [
        Column("metric", "l"),
        Column("$n$"),
        Column("slope", "l"),
        Column(f"{symbol('r2')} [95\\,\\%]", "l"),
        Column(symbol("loo_rmse")),
        Column(f"{symbol('kendall_tau')} [95\\,\\%]", "l"),
        Column(symbol("p_value")),
        Column(symbol("partial_tau")),
    ]
    rows: list = []
    for series, own in known.groupby("series", sort=False):
        rows.append(Heading(series_title(series, titles)))
        found = own.set_index("metric")
        if found["slope"].isna().all():
            rows[-1] = Heading(f"{rows[-1].text}: none ({escape(found['status'].iloc[0])})")
            continue
        rows += [_regression(metric, found.loc[metric]) for metric in wanted if metric in found.index]
    note = r"Target: accuracy in \%, so a negative $\tau$ says that smaller is better. $p$: of $\tau$. "
    note += r"$\tau_{\mathrm{partial}}$: after taking out depth and log norm. "
    return table(columns, rows, note + f"Eigenvalues of {MATRIX[normalization]}.")


def of_accuracy(regressions: pd.DataFrame) -> pd.DataFrame:
    """Regressions of accuracy; those over all series only where there are several."""
    known = regressions[regressions["target"] == "accuracy"]
    return known[known["series"] != POOLED] if known["series"].nunique() <= 2 else known


def _regression(metric: str, row: pd.Series) -> list[str]:
    return [
        symbol(metric),
        integer(row["n"]),
        significant(row["slope"]),
        with_interval(row["r2"], row["r2_low"], row["r2_high"]),
        number(row["loo_rmse"]),
        with_interval(row["kendall_tau"], row["kendall_low"], row["kendall_high"]),
        probability(row["kendall_p"]),
        number(row["partial_tau"]),
    ]


def claims(verdicts: pd.DataFrame) -> str:
    """The published claims with effect, interval, p, n and verdict."""
    columns = [
        Column("claim", 3.35),
        Column("effect [95\\,\\%]", 1.2),
        Column("$p$"),
        Column("$n$"),
        Column("verdict", "l"),
    ]
    rows = [
        [
            rf"{prose(row['statement'])} {{\scriptsize ({prose(row['source'])})}}",
            effect(row),
            probability(row["p_value"]),
            integer(row["n"]),
            escape(row["verdict"]),
        ]
        for row in verdicts.to_dict("records")
    ]
    return table(columns, rows)


def effect(row: Mapping[str, Any]) -> str:
    """The effect of a claim with its interval: counts without decimals, small effects with more of them."""
    values = [row[key] for key in ("effect", "effect_low", "effect_high") if not missing(row[key])]
    if all(float(value).is_integer() for value in values):
        return with_interval(row["effect"], row["effect_low"], row["effect_high"], 0)
    greatest = max(map(abs, values))
    return with_interval(row["effect"], row["effect_low"], row["effect_high"], 3 if greatest < 0.1 else 2)


def models(metrics: pd.DataFrame, headers: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Where the weights and the accuracies are from; what all models of a series share stands in its heading.

    metrics: one row a model. headers: of the models' spectra, with `model`, `origin` and `sha256` (null: trained here).
    """
    origins = {header["model"]: header for header in headers}
    columns = [
        Column("model", 1.4),
        Column("file", 1.2),
        Column("SHA-256", "l"),
        Column("accuracy"),
        Column("reported by", 1.1),
        Column("matrices"),
        Column("failed"),
    ]
    rows: list = []
    for series, own in metrics.groupby("series", sort=False):
        places = [str(origins.get(model, {}).get("origin") or "") for model in own["model"]]
        folders = {place.rpartition("/")[0] for place in places}
        common = places[0] if len(set(places)) == 1 else folders.pop() if len(folders) == 1 else ""
        sources = own["accuracy_source"].fillna("").unique()
        shared = [f"weights: {common}"] if common else []
        shared += [f"accuracies: {sources[0]}"] if len(sources) == 1 and sources[0] else []
        rows.append(Heading(series_title(series, titles), escape("; ".join(shared), breakable=True) if shared else ""))
        for row, place in zip(own.to_dict("records"), places, strict=True):
            checksum = origins.get(row["model"], {}).get("sha256")
            file = place.removeprefix(common).removeprefix("/")
            source = row["accuracy_source"] if len(sources) > 1 else ""
            rows.append(
                [
                    model_title(row),
                    rf"{{\scriptsize {escape(file, breakable=True) if file else ''}}}",
                    rf"\texttt{{\scriptsize {checksum[:8]}}}" if checksum else "--",
                    number(row["accuracy"]),
                    rf"{{\scriptsize {escape(source, breakable=True) if source else ''}}}",
                    integer(row["n_matrices"]),
                    integer(row["n_failed"]),
                ]
            )
    return table(columns, rows, r"Accuracy in \%; the first eight digits of each checksum.")
