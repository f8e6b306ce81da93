"""Every number that a paper's text may want from an experiment, rounded and ready to print.

n_models, alpha_median, ...         of the experiment: `_experiment`, `_spectra`, `_claims`
<series>.alpha_median, ...          the same of one series, and what `_series` and `_regression` add
<series>.<statistic>_<metric>       tau, spearman, r2, partial_tau, partial_r with accuracy; with _interval, _p,
                                    _full; slope, rmse, loo_rmse, n, status. <series> may be `pooled`
each.<statistic>_<metric>           the same for all series in one phrase
model.<model>.<column>              one model's row; means also with _stderr and _pm
comparison.<role>.<...>             all of model.<model> and of a series' spectra, for dense, regularized, finetuned
claim.<id>.<...>                    statement, source, effect, interval, p, n, verdict, reason
claims.<paper>.<...>                n, supported, not_supported, inconclusive: how many
published.model.<model>.<metric>    published numbers; with _ours and _difference
published.series.<name>.<...>       r2_<metric>, tau_<metric>, n, source, note
results.<series>.<...>              statistics as above, of what others measured; also title, n_models; also
                                    results.pooled and results.each
setting.<stage>.<key>               settings
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from htsr.metrics.columns import AVERAGED
from htsr.metrics.null import null_alphas
from htsr.statistics.metrics_table import POOLED
from htsr.tables import latex
from htsr.tables.labels import MATRIX, UNIVERSAL
from htsr.tables.latex import escape, integer, interval, missing, number, percent, probability, significant
from htsr.tables.results import effect, prose, series_title
from htsr.tables.values import Values

CLOSE = 0.5  # alpha and log stable rank are called close within this
REJECTED = 0.1  # a power law with a lower goodness-of-fit p is ruled out (Clauset, Shalizi, Newman 2009, §4.1)
SIGNIFICANCE = 0.05

_STATISTICS = {  # name of the value: column of the regressions
    "tau": "kendall_tau",
    "spearman": "spearman",
    "r2": "r2",
    "partial_tau": "partial_tau",
    "partial_r": "partial_r",
}
_BOUNDS = {"kendall_tau": "kendall"}  # columns whose interval and p are named otherwise


def collect(
    metrics: pd.DataFrame,
    layers: pd.DataFrame,
    regressions: pd.DataFrame,
    verdicts: pd.DataFrame,
    titles: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Values:
    """All values of an experiment.

    metrics, layers: one row a model, one row a spectrum (collect_metrics). regressions, verdicts: regress_accuracy,
    judge_claims. titles: printed names of the series. settings: any nested values; each is a value `setting.…`, and
    `compute_esd.normalization`, `comparison` and `published` are also read here.
    """
    values = Values()
    _settings(values, settings)
    _models(values, metrics)
    _spectra(values, "", layers)
    order = list(metrics["series"].unique())
    for series in order:
        _series(values, series, metrics[metrics["series"] == series], titles)
        _spectra(values, f"{series}.", layers[layers["series"] == series])
    for row in regressions[regressions["target"] == "accuracy"].to_dict("records"):
        _regression(values, row)
    _experiment(values, metrics, order, titles)
    _claims(values, verdicts)
    _comparison(values, settings.get("comparison") or {}, metrics, layers)
    _published(values, settings.get("published") or {}, metrics)
    values.lists = {
        "series": order,
        "model": metrics["model"].tolist(),
        "claim": verdicts["claim"].tolist(),
    }
    return values


def _settings(values: Values, settings: Mapping[str, Any], prefix: str = "setting.") -> None:
    for key, value in settings.items():
        if key == "published":
            continue
        if isinstance(value, Mapping):
            _settings(values, value, f"{prefix}{key}.")
        elif isinstance(value, bool):
            values.flag(prefix, **{key: value})
            values.put(prefix, **{key: "yes" if value else "no"})
        elif isinstance(value, int):
            values.put(prefix, **{key: integer(value)})
        elif isinstance(value, float):
            values.put(prefix, **{key: f"{value:g}" if 1e-3 <= value < 1e5 or value == 0 else significant(value)})
        elif isinstance(value, (list, tuple)):
            values.put(prefix, **{key: ", ".join(escape(entry) for entry in value)})
        else:
            values.put(prefix, **{key: escape(value)})
    if prefix == "setting.":
        normalization = (settings.get("compute_esd") or {}).get("normalization")
        values.put("", matrix=MATRIX.get(normalization, ""))


def _models(values: Values, metrics: pd.DataFrame) -> None:
    """model.<name>.<column>: one model's row; `<metric>_pm` is the mean with its standard error."""
    for row in metrics.to_dict("records"):
        prefix = f"model.{row['model']}."
        title = row["model"] if missing(row["title"]) else row["title"]
        values.put(prefix, title=escape(title), series=escape(row["series"]))
        values.put(prefix, **{name: escape(row[name]) for name in ("dataset", "accuracy_source")})
        values.put(prefix, **{name: number(row[name]) for name in ("accuracy", "error", "train_accuracy")})
        values.put(prefix, **{name: integer(row[name]) for name in ("n_parameters", "depth", "n_matrices", "n_failed")})
        for name in AVERAGED:
            digits = 3 if name == "ks_distance" else 2
            mean, error = row[name], row[f"{name}_stderr"]
            pm = number(mean, digits) if missing(error) else f"{number(mean, digits)} $\\pm$ {number(error, digits)}"
            values.put(
                prefix, **{name: number(mean, digits), f"{name}_stderr": number(error, digits), f"{name}_pm": pm}
            )
        values.flag(prefix, accuracy=not missing(row["accuracy"]), failed=row["n_failed"] > 0)


def _spectra(values: Values, prefix: str, layers: pd.DataFrame) -> None:
    """What the spectra and fits of an experiment or of one series look like."""
    alpha = layers["alpha"].dropna()
    fitted = layers.loc[alpha.index]
    null = null_alphas(fitted)
    inside, null_inside = alpha.between(*UNIVERSAL), null.between(*UNIVERSAL)
    p, null_p = fitted["p_value"].dropna(), fitted["alpha_null_p"].dropna()
    rank = fitted[["alpha", "log_stable_rank"]].replace([np.inf, -np.inf], np.nan).dropna()
    gap = (rank["alpha"] - rank["log_stable_rank"]).abs()
    ok = layers[layers["status"] == "ok"]
    values.put(
        prefix,
        n_matrices=integer(len(ok)),
        n_failed=integer(len(layers) - len(ok)),
        n_layers=integer(ok.groupby(["model", "weight_layer"]).ngroups),
        n_alpha=integer(len(alpha)),
        alpha_mean=number(alpha.mean()),
        alpha_std=number(alpha.std()),
        alpha_median=number(alpha.median()),
        alpha_min=number(alpha.min()),
        alpha_max=number(alpha.max()),
        n_in_range=integer(inside.sum()),
        alpha_fraction_in_range=percent(inside.mean()),
        alpha_low=number(alpha.quantile(0.05)),
        alpha_high=number(alpha.quantile(0.95)),
        alpha_null_mean=number(null.mean()),
        alpha_null_std=number(null.std()),
        alpha_null_median=number(null.median()),
        alpha_null_fraction_in_range=percent(null_inside.mean()),
        n_beyond_null=integer((null_p < SIGNIFICANCE).sum()),
        fraction_beyond_null=percent((null_p < SIGNIFICANCE).mean()),
        alpha_null_z_median=number(fitted["alpha_null_z"].median()),
        fraction_not_rejected=percent((p >= REJECTED).mean()),
        n_not_rejected=integer((p >= REJECTED).sum()),
        interval_width=number((fitted["alpha_high"] - fitted["alpha_low"]).median()),
        ks_distance=number(fitted["ks_distance"].median(), 3),
        n_tail=number(fitted["n_tail"].median(), 0),
        n_tail_min=integer(fitted["n_tail"].min()),
        n_tail_max=integer(fitted["n_tail"].max()),
        n_eigenvalues=number(fitted["n_eigenvalues"].median(), 0),
        m_min=integer(ok["m"].min()),
        m_max=integer(ok["m"].max()),
        n_max=integer(ok["n"].max()),
        q_max=number(ok["q"].max()),
        fraction_lambda_max_below_one=percent((ok["lambda_max"] < 1).mean()),
        lambda_max_mean=number(ok["lambda_max"].mean(), 3),
        log_stable_rank_gap=number(gap.median()),
        fraction_log_stable_rank_close=percent((gap <= CLOSE).mean()),
        log_stable_rank_correlation=number(rank.corr("spearman").iloc[0, 1]),
    )
    for law in ("PL", "TPL", "lognormal", "exponential", "stretched exponential"):
        chosen = fitted["best_fit"] == law
        values.put(prefix, **{f"n_best_{law}": integer(chosen.sum()), f"fraction_best_{law}": percent(chosen.mean())})
    counts = ok["phase"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
    values.put(prefix, phases=", ".join(f"{escape(name)} ({integer(count)})" for name, count in counts.items()))
    values.flag(
        prefix,
        null=len(null) > 0,
        goodness=len(p) > 0,
        failed=len(ok) < len(layers),
        slices=(ok["layer"] != ok["weight_layer"]).any(),
    )


def _series(values: Values, series: str, models: pd.DataFrame, titles: Mapping[str, str]) -> None:
    known = models[models["accuracy"].notna()]
    prefix = f"{series}."
    values.put(
        prefix,
        title=series_title(series, titles),
        dataset=escape(models["dataset"].iloc[0]),
        n_models=integer(len(models)),
        n_accuracy=integer(len(known)),
        accuracy_min=number(known["accuracy"].min()),
        accuracy_max=number(known["accuracy"].max()),
        depth_min=integer(models["depth"].min()),
        depth_max=integer(models["depth"].max()),
        n_parameters_min=integer(models["n_parameters"].min()),
        n_parameters_max=integer(models["n_parameters"].max()),
        models=_sentence(
            [escape(m if missing(t) else t) for m, t in zip(models["model"], models["title"], strict=True)]
        ),
    )
    for name in AVERAGED:
        values.put(prefix, **{f"{name}_least": number(models[name].min()), f"{name}_most": number(models[name].max())})
    values.flag(prefix, accuracy=len(known) > 0)


def _regression(values: Values, row: Mapping[str, Any]) -> None:
    """<series>.<statistic>_<metric>, with _interval, _p and _full (value, interval, n); target: accuracy."""
    series, metric = row["series"], row["metric"]
    prefix = f"{series}."
    for name, column in _STATISTICS.items():
        bounds = _BOUNDS.get(column, column)
        low, high = row[f"{bounds}_low"], row[f"{bounds}_high"]
        full = number(row[column]) + ("" if missing(low) else f" (95\\,\\% interval {interval(low, high)})")
        values.put(
            prefix,
            **{
                f"{name}_{metric}": number(row[column]),
                f"{name}_{metric}_interval": interval(low, high),
                f"{name}_{metric}_full": full,
            },
        )
        if f"{bounds}_p" in row:
            values.put(prefix, **{f"{name}_{metric}_p": probability(row[f"{bounds}_p"])})
    values.put(
        prefix,
        **{
            f"n_{metric}": integer(row["n"]),
            f"slope_{metric}": significant(row["slope"]),
            f"slope_{metric}_interval": interval(row["slope_low"], row["slope_high"], 3, significant),
            f"rmse_{metric}": number(row["rmse"]),
            f"loo_rmse_{metric}": number(row["loo_rmse"]),
            f"status_{metric}": escape(row["status"]),
        },
    )
    values.flag(prefix, **{f"regression_{metric}": not missing(row["slope"])})
    values.flag(prefix, **{f"partial_{metric}": not missing(row["partial_tau"])})
    if metric == "alpha_weighted":
        values.flag(prefix, regression=not missing(row["slope"]))


def _experiment(values: Values, metrics: pd.DataFrame, order: list[str], titles: Mapping[str, str]) -> None:
    known = metrics[metrics["accuracy"].notna()]
    values.put(
        "",
        n_series=integer(len(order)),
        n_models=integer(len(metrics)),
        n_accuracy=integer(len(known)),
        accuracy_min=number(known["accuracy"].min()),
        accuracy_max=number(known["accuracy"].max()),
        series=_sentence([series_title(series, titles) for series in order]),
        series_with_n=_sentence(
            [f"{values.texts[f'{s}.title']} ($n = {values.texts[f'{s}.n_models']}$)" for s in order]
        ),
        datasets=_sentence([escape(name) for name in metrics["dataset"].dropna().unique()]),
    )
    values.flag(
        accuracy=len(known) > 0,
        several_series=len(order) > 1,
        **{name: values.flags.get(f"{POOLED}.{name}", False) for name in ("regression", "partial_alpha_weighted")},
    )
    _each(values, "", order, (*AVERAGED, "depth"))


def _each(values: Values, prefix: str, order: Sequence[str], metrics: Sequence[str]) -> None:
    """<prefix>each.<statistic>_<metric>: one sentence of all series, for a text that knows none by name."""
    for name in (*_STATISTICS, "n"):
        for metric in metrics:
            known = {s: values.texts.get(f"{prefix}{s}.{name}_{metric}", latex.MISSING) for s in order}
            each = [f"{v} ({values.texts[f'{prefix}{s}.title']})" for s, v in known.items() if v != latex.MISSING]
            values.put(f"{prefix}each.", **{f"{name}_{metric}": _sentence(each)})


def published_results(
    values: Values, metrics: pd.DataFrame, regressions: pd.DataFrame, titles: Mapping[str, str]
) -> None:
    """results.<series>.<…>: regressions of accuracy on what others measured and published, by series and pooled.

    metrics: one row a model. regressions: regress_accuracy of them. titles: printed names of the series.
    """
    for row in regressions[regressions["target"] == "accuracy"].to_dict("records"):
        _regression(values, row | {"series": f"results.{row['series']}"})
    named = []
    for series, own in metrics.groupby("series", sort=False):
        title = series_title(series, titles)
        values.put(f"results.{series}.", title=title, n_models=integer(len(own)))
        named.append(f"{title} ($n = {len(own)}$)")
    values.put(
        "results.",
        n_models=integer(len(metrics)),
        n_series=integer(len(named)),
        n_matrices=integer(metrics["n_matrices"].sum()),
        series_with_n=_sentence(named),
        datasets=_sentence([escape(name) for name in metrics["dataset"].unique()]),
    )
    _each(values, "results.", metrics["series"].unique(), regressions["metric"].unique())


def _sentence(entries: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(entries[:-1]), entries[-1]] if len(entries) > 1 else entries)


def _claims(values: Values, verdicts: pd.DataFrame) -> None:
    for row in verdicts.to_dict("records"):
        prefix = f"claim.{row['claim']}."
        small = (
            max((abs(row[k]) for k in ("effect", "effect_low", "effect_high") if not missing(row[k])), default=1) < 0.1
        )
        values.put(prefix, **{name: escape(row[name]) for name in ("source", "verdict")})
        values.put(prefix, **{name: prose(row[name]) for name in ("statement", "reason")})
        values.put(
            prefix,
            effect=number(row["effect"], 3 if small else 2),
            interval=interval(row["effect_low"], row["effect_high"], 3 if small else 2),
            effect_interval=effect(row),
            p=probability(row["p_value"]),
            n=integer(row["n"]),
        )
        for name in ("supported", "not supported", "inconclusive"):
            values.flag(prefix, **{name.replace(" ", "_"): row["verdict"] == name})
        values.flag(prefix, measured=not missing(row["effect"]))
    for paper, own in verdicts.groupby("paper"):
        counts = own["verdict"].value_counts()
        values.put(f"claims.{paper}.", n=integer(len(own)))
        for name in ("supported", "not supported", "inconclusive"):
            values.put(f"claims.{paper}.", **{name.replace(" ", "_"): integer(counts.get(name, 0))})


def _comparison(values: Values, roles: Mapping[str, Any], metrics: pd.DataFrame, layers: pd.DataFrame) -> None:
    """comparison.<role>.<…>: everything that model.<name> has, and the spectra of that model."""
    present = {role: name for role, name in roles.items() if name is not None and (metrics["model"] == name).any()}
    means = {}
    for role, name in present.items():
        own = layers[layers["model"] == name]
        for key in [key for key in values.texts if key.startswith(f"model.{name}.")]:
            values.texts[f"comparison.{role}.{key.removeprefix(f'model.{name}.')}"] = values.texts[key]
        _spectra(values, f"comparison.{role}.", own)
        zero = own[(own["n_eigenvalues"] == 0) | (own["lambda_max"] == 0)]
        values.put(f"comparison.{role}.", n_removed=integer(zero["weight_layer"].nunique()))
        means[role] = own[own["lambda_max"] > 0].groupby("weight_layer", sort=False)[["lambda_max", "alpha"]].mean()
    for role in present:
        if role == "finetuned" or "finetuned" not in present:
            continue
        both = means[role].merge(means["finetuned"], left_index=True, right_index=True, suffixes=("_before", ""))
        prefix = f"comparison.{role}.finetuned."
        values.put(
            prefix,
            n_layers=integer(len(both)),
            n_lambda_max_larger=integer((both["lambda_max"] > both["lambda_max_before"]).sum()),
            n_alpha_larger=integer((both["alpha"] > both["alpha_before"]).sum()),
        )
    values.flag(comparison=len(present) == 3)


def _published(values: Values, published: Mapping[str, Any], metrics: pd.DataFrame) -> None:
    """published.model.<name>.<metric>, also _ours and _difference; published.series.<name>.r2_<metric> and tau_."""
    ours = metrics.set_index("model")
    worst = []
    for name, entry in (published.get("models") or {}).items():
        here = name in ours.index
        prefix = f"published.model.{name}."
        values.put(prefix, source=escape(entry["source"]))
        values.flag(prefix, here=here)
        for metric, value in entry["metrics"].items():
            own = ours.loc[name, metric] if here and metric in ours else np.nan
            values.put(
                prefix,
                **{
                    metric: number(value, 3),
                    f"{metric}_ours": number(own, 3),
                    f"{metric}_difference": number(own - value, 3),
                },
            )
            worst.append(abs(own - value))
    for name, entry in (published.get("regressions") or {}).items():
        prefix = f"published.series.{name}."
        values.put(prefix, source=escape(entry["source"]), note=escape(entry.get("note")), n=integer(entry["n"]))
        for statistic, column in (("r2", "r2"), ("tau", "kendall_tau")):
            values.put(prefix, **{f"{statistic}_{m}": number(v) for m, v in entry[column].items()})
    known = pd.Series(worst, dtype=float).dropna()
    values.put("published.", worst_difference=number(known.max(), 3), n_compared=integer(len(known)))
    values.flag("published.", models=len(known) > 0, regressions=bool(published.get("regressions")))
