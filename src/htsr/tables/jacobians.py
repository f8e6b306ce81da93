"""Tables and values of the Jacobians.

jacobian.any; jacobian.series: of networks of a series; jacobian.<part>: of the sweep that plays batch_size, epochs,
labels, size; jacobian.shown: of a network whose directions are kept, .start, .final, .pixels: in these states  (flags)

jacobian.n, part, classes, pixels       images, split, and sizes of what was measured first
jacobian.n_networks, n_states, n_spectra, n_failed      of all series and sweeps
jacobian.series.<column>                mean over the networks of all series ± half its 95 % interval; .n of them
jacobian.series.<column>_least, _greatest
jacobian.<part>.<column>_<end>          the same over seeds; ends of an axis: least, greatest; of `epochs`: start, end
jacobian.<part>.least, greatest         the values at the ends; n_seeds
jacobian.shown.network, n               the first network whose directions are kept
jacobian.shown.<state>.<column>         of it, with what is known of its error; start: untrained or epoch 0
jacobian.shown.<state>.concentration    mean Σ q_c² of its directions' patterns ± standard error; n_directions
jacobian.shown.<state>.moved            percent of the images that change class at the ends of the first direction
jacobian.concentration_null             Σ q_c² of random directions
jacobian.tau_<metric>_<target>          Kendall's τ within series with its interval; tau_sweeps_...: within sweeps
jacobian.n_tau, n_tau_sweeps            networks and trainings in them

<column>: COLUMNS of this module.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from htsr.metrics import jacobians as metrics
from htsr.statistics.jacobian_states import SPECTRA, concentrations, random_concentration
from htsr.statistics.metrics_table import POOLED
from htsr.statistics.student import student
from htsr.tables.latex import (
    MISSING,
    Column,
    Heading,
    escape,
    integer,
    missing,
    number,
    percent,
    probability,
    table,
    with_error,
    with_interval,
)
from htsr.tables.results import BEST_FIT, LAWS, model_title, series_title, symbol
from htsr.tables.theory import plus_minus
from htsr.tables.values import Values

PARTS = ("batch_size", "epochs", "labels", "size")

ALPHAS = tuple(f"{name}_alpha" for name in SPECTRA)

COLUMNS = (
    *(*ALPHAS, "softmax_alpha_null", "correlation_alpha_null", "logit_alpha_null", "softmax_log_spectral_norm"),
    *("rank", "effective_rank", "norm", "log_jacobian_norm", "logit_norm", "confidence", "accuracy_on_examples"),
    *("log_largest_diagonal", "log_top_ratio", "log_equal_norms", "top_example", "diagonal_energy"),
    *("diagonal_distance", "null_distance", "alignment", "alignment_null", "correlation_alignment"),
    *("correlation_alignment_null", "within", "between", "class_share", "class_share_null"),
)

METRICS = (
    *("jacobian_alpha", "jacobian_correlation_alpha", "jacobian_logit_alpha", "jacobian_log_lambda_max"),
    *("jacobian_log_norm", "jacobian_logit_log_norm", "jacobian_effective_rank", "jacobian_alignment"),
)
WEIGHTS = ("alpha", "alpha_weighted", "log_norm", "log_spectral_norm")

_DIGITS = {"rank": 0, "effective_rank": 1, "accuracy_on_examples": 1, "class_share": 3}
_DIGITS |= {"class_share_null": 3, "alignment": 3, "alignment_null": 3, "correlation_alignment_null": 3}
_AXES = {"batch_size": "batch_size", "labels": "label_noise", "size": "width"}
_ERRORS = {"norm": "norm_stderr", "logit_norm": "logit_norm_stderr"}
_ERRORS |= {f"{name}_null": f"{name}_null_std" for name in ("alignment", "correlation_alignment")}
_STATES = {"start": ("untrained", "0"), "final": ("final",), "pixels": ("pixels",)}
_WORDS = {"untrained": "untrained", "0": "untrained", "final": "trained", "pixels": "permuted pixels"}
_SEEDS = r"Of several networks: mean {\scriptsize$\pm$} half its 95\,\% interval (Student's $t$); of one: $\alpha$ "
_ELSE = r"or {\scriptsize$\pm$} standard error for a known $\lambda_{\mathrm{min}}$. "
_MATRIX = r"Eigenvalues of $\mathbf{M} = \mathcal{J}\mathcal{J}^{\top}$, not divided by $n$; $\log$: $\log_{10}$. "


def with_networks(states: pd.DataFrame, models: pd.DataFrame, networks: pd.DataFrame | None) -> pd.DataFrame:
    """The states with `title`, `accuracy`, `swept` (network of a sweep) and, of these, `seed` and settings.

    states: one row a state (`jacobian_states.states`); models: collect_metrics of all series; networks: collect_sweep
    (..._networks.csv) of all sweeps, None without any.
    """
    of_sweeps = pd.DataFrame({"series": []}) if networks is None else networks
    known = pd.concat([models[["series", "model", "title", "accuracy"]], of_sweeps], ignore_index=True)
    known = known.reindex(columns=["series", "model", "title", "accuracy", "seed", *_AXES.values()])
    known = known.rename(columns={"series": "collection", "model": "network"})
    swept = states["collection"].isin(of_sweeps["series"])
    return states.assign(swept=swept).merge(known, on=["collection", "network"], how="left")


def jacobian_networks(states: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """One row for each network of a series and each training of a sweep (means over its seeds), in the final states.

    states: of `with_networks`; titles: printed names of the series and sweeps.
    """
    columns = [
        Column("network", 1.08),
        Column(symbol("softmax_alpha"), "l"),
        Column(symbol("softmax_alpha_null"), "l"),
        *(Column(symbol(name)) for name in ("softmax_log_spectral_norm", "rank", "effective_rank", "norm")),
        Column(f"{symbol('correlation_alignment')} ({symbol('correlation_alignment_null')})", "l"),
        Column("acc."),
    ]
    rows: list = []
    for collection, own in states[states["final"]].groupby("collection", sort=False):
        rows.append(Heading(series_title(collection, titles), _counts(own)))
        for name, cell in _trainings(own):
            cells = [_alpha(cell, "softmax_alpha"), _null(cell)]
            cells += [_cell(cell, name) for name in ("softmax_log_spectral_norm", "rank", "effective_rank", "norm")]
            null = number(cell["correlation_alignment_null"].mean())
            cells += [f"{_cell(cell, 'correlation_alignment')} ({null})", _mean(cell["accuracy"], 1)]
            rows.append([name or "one training", *cells])
    note = rf"{_SEEDS}[95\,\% bootstrap interval] {_ELSE}"
    note += r"$\alpha_{J,0}$: rows of the same norms in random directions {\scriptsize$\pm$} standard "
    note += r"deviation between them; $\langle\|J\|_F\rangle$ of one network {\scriptsize$\pm$} standard error over "
    note += r"images; $A_0$: permuted classes; acc.: test accuracy in \%. "
    return table(columns, rows, note + _MATRIX)


def jacobian_split(states: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """What makes the largest eigenvalue and the tail of M, by state.

    One row for all networks of a series and for each of them that is known in other states, one for each training of a
    sweep. states: of `with_networks`, with distances. Between the first and the last one, epochs are left out.
    """
    logs = ("softmax_log_spectral_norm", "log_largest_diagonal", "log_equal_norms")
    alphas = ("softmax_alpha", "diagonal_alpha", "correlation_alpha", "logit_alpha")
    columns = [Column("state", 0.84), *(Column(symbol(name)) for name in (*logs, "diagonal_energy"))]
    columns += [Column(symbol(name), "l") for name in alphas] + [Column("fit", "l")]
    rows: list = []
    for collection, own in states.groupby("collection", sort=False):
        rows.append(Heading(series_title(collection, titles), _counts(own)))
        for name, cell in _split(own):
            cells = [_cell(cell, column) for column in (*logs, "diagonal_energy")]
            rows.append(
                [
                    name,
                    *cells,
                    *(_alpha(cell, column, short=True) for column in alphas),
                    _fits(cell["softmax_best_fit"]),
                ]
            )
    top, equal, energy = map(symbol, ("log_largest_diagonal", "log_equal_norms", "diagonal_energy"))
    note = rf"{_SEEDS}{{\scriptsize$\pm$}} half its 95\,\% bootstrap interval {_ELSE}"
    note += f"{top}: what the diagonal alone gives; {equal}: what the correlations alone give; "
    note += rf"{energy} = $\sum M_{{ii}}^2/\|\mathbf{{M}}\|_F^2$: above $1/2$ in every diagonally dominant matrix. "
    note += r"$\alpha_C$: correlation matrix, $\alpha_z$: scores in place of the softmax. "
    return table(columns, rows, f"{note}{BEST_FIT}; of several networks the commonest. {_MATRIX}")


def _trainings(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The networks of a series or sweep, those that differ in their seed alone together, with their printed name."""
    names = rows["title"].fillna("").where(rows["swept"], rows["network"])
    for (swept, name), cell in rows.groupby(["swept", names.rename("name")], sort=False):
        if swept:
            yield escape(name.replace("_", " ")) if name else "", cell
        else:
            yield model_title({"model": name, "title": cell["title"].iloc[0]}), cell


def _split(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Groups of states with their printed name, as `jacobian_split` shows them."""
    final = rows[rows["final"]]
    if not rows["swept"].iloc[0]:
        yield "all", final
        rows = rows[rows["network"].isin(rows.loc[~rows["final"], "network"])]
    several = rows["state"].nunique() > 1
    for name, cell in _trainings(rows):
        for state in (state for states in _STATES.values() for state in states):
            known = cell[cell["state"] == state]
            if len(known):
                yield ", ".join(filter(None, (name, _WORDS[state] if several or not name else ""))), known


def _counts(rows: pd.DataFrame) -> str:
    n, part = rows[["n_examples", "part"]].iloc[0]
    seeds = rows["seed"].nunique()
    told = f"{integer(rows['network'].nunique())} networks, " + (f"{seeds} seeds, " if seeds > 1 else "")
    return rf"{told}$n = {integer(n)}$ {escape(part)} images"


def _cell(rows: pd.DataFrame, column: str) -> str:
    if len(rows) > 1:
        return _mean(rows[column], _digits(column))
    row = rows.iloc[0]
    return with_error(row[column], row.get(_ERRORS.get(column)), _digits(column))


def _digits(column: str) -> int:
    return _DIGITS.get(column, 2)


def _mean(values: pd.Series, digits: int) -> str:
    found = student(values.to_numpy(float))
    return with_error(found.mean, found.high - found.mean, digits)


def _alpha(rows: pd.DataFrame, column: str, short: bool = False) -> str:
    """Of one network with its bootstrap interval (short: ± half of it), else ± the standard error for a known xmin."""
    if len(rows) > 1:
        return _mean(rows[column], 2)
    value, low, high, stderr = rows.iloc[0][[column, f"{column}_low", f"{column}_high", f"{column}_stderr"]]
    if missing(low):
        return with_error(value, stderr)
    return with_error(value, (high - low) / 2) if short else with_interval(value, low, high)


def _null(rows: pd.DataFrame) -> str:
    if len(rows) > 1:
        return _mean(rows["softmax_alpha_null"], 2)
    return with_error(rows["softmax_alpha_null"].iloc[0], rows["softmax_alpha_null_std"].iloc[0])


def _fits(names: pd.Series) -> str:
    """The commonest best fit."""
    counts = names.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    return escape(LAWS.get(counts.index[0], counts.index[0])) if len(counts) else MISSING


def jacobian_regressions(
    regressions: pd.DataFrame, sweep_regressions: pd.DataFrame | None, titles: Mapping[str, str]
) -> str:
    """Kendall's τ of test error and gap with metrics of the Jacobian and, below, of the weights.

    regressions: regress_accuracy of the models of all series, sweep_regressions: of the networks of all sweeps.
    """
    columns = [Column("metric", "l")]
    for target in ("error", "gap"):
        columns += [Column("$n$"), Column(rf"$\tau$ with {target} [95\,\%]", "l"), Column(symbol("p_value"))]
    rows: list = []
    for name, found in (("", regressions), ("All sweeps, within sweeps", sweep_regressions)):
        if found is None:
            continue
        chosen = found if not name else found[found["series"] == POOLED]
        for series, own in chosen.groupby("series", sort=False):
            if not own["metric"].isin(metrics.COLUMNS).any():
                continue
            rows.append(Heading(name or series_title(series, titles)))
            keyed = own.set_index(["metric", "target"])
            for metric in (*METRICS, *WEIGHTS):
                if metric in own["metric"].to_numpy():
                    rows.append([_metric(metric), *(c for t in ("error", "gap") for c in _tau(keyed, metric, t))])
    note = r"A positive $\tau$ says that smaller is better; gap: training less test accuracy. $p$: permutations within "
    note += r"series or sweeps, not corrected for the number of metrics. Networks without a Jacobian are left out of "
    return table(columns, rows, note + r"its metrics, so $n$ may differ from that of the weights $\mathbf{W}$.")


def _metric(name: str) -> str:
    return symbol(name) if name in METRICS else rf"{symbol(name)} of $\mathbf{{W}}$"


def _tau(found: pd.DataFrame, metric: str, target: str) -> list[str]:
    if (metric, target) not in found.index:
        return [MISSING] * 3
    row = found.loc[(metric, target)]
    tau = with_interval(row["kendall_tau"], row["kendall_low"], row["kendall_high"])
    return [integer(row["n"]), tau, probability(row["kendall_p"])]


def collect(
    values: Values,
    states: pd.DataFrame | None,
    details: Mapping[str, np.ndarray],
    regressions: pd.DataFrame,
    sweep_regressions: pd.DataFrame | None,
    parts: Mapping[str, str | None],
) -> None:
    """Add the values of the Jacobians, and the flags in any case.

    states: of `with_networks`, with distances; details: arrays of compute_jacobian for drawing; parts: the sweep that
    plays each part.
    """
    flags = ("any", "series", *PARTS, "shown", *(f"shown.{state}" for state in _STATES))
    values.flag("jacobian.", **dict.fromkeys(flags, False))
    if states is None:
        return
    first = states.iloc[0]
    values.flag("jacobian.", any=True)
    fits = states[[f"{name}_status" for name in SPECTRA]]
    values.put(
        "jacobian.",
        n=integer(first["n_examples"]),
        part=escape(first["part"]),
        classes=integer(first["classes"]),
        pixels=integer(first["pixels"]),
        n_networks=integer(states["network"].nunique()),
        n_states=integer(len(states)),
        n_spectra=integer(fits.notna().sum().sum()),
        n_failed=integer((fits.notna() & (fits != "ok")).sum().sum()),
        concentration_null=number(random_concentration(int(first["classes"])), 3),
    )
    _series(values, states[states["final"] & ~states["swept"]])
    for part in PARTS:
        own = states[(states["collection"] == parts.get(part)) & states["swept"]]
        if len(own):
            values.flag("jacobian.", **{part: True})
            _part(values, part, own[~own["state"].isin(("pixels", "untrained"))])
    _shown(values, states, details)
    for name, found in (("tau", regressions), ("tau_sweeps", sweep_regressions)):
        if found is not None:
            _taus(values, name, found[(found["series"] == POOLED) & found["metric"].isin((*METRICS, *WEIGHTS))])


def _series(values: Values, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    values.flag("jacobian.", series=True)
    values.put("jacobian.series.", n=integer(len(rows)))
    _means(values, "jacobian.series.", "", rows, rows.index)
    for column in COLUMNS:
        ends = {f"{column}_least": rows[column].min(), f"{column}_greatest": rows[column].max()}
        values.put("jacobian.series.", **{name: number(value, _digits(column)) for name, value in ends.items()})


def _means(values: Values, prefix: str, end: str, rows: pd.DataFrame, by: Any) -> None:
    """Means over the units `by`, each with half its interval."""
    for column in COLUMNS:
        found = student(rows[column].groupby(by).mean().to_numpy(float))
        text = plus_minus(found.mean, found.high - found.mean)
        if missing(found.high - found.mean):
            text = number(found.mean, _digits(column))
        values.put(prefix, **{f"{column}{end}": text})


def _part(values: Values, part: str, rows: pd.DataFrame) -> None:
    prefix, final = f"jacobian.{part}.", rows[rows["final"]]
    values.put(prefix, n_seeds=integer(rows["seed"].nunique()))
    axis = _AXES.get(part)
    if axis is None:
        ends = {"start": rows[rows["epoch"] == 0], "end": final}
    else:
        ends = {"least": final[final[axis] == final[axis].min()], "greatest": final[final[axis] == final[axis].max()]}
        values.put(prefix, **{end: f"{own[axis].iloc[0]:g}" for end, own in ends.items()})
    for end, own in ends.items():
        _means(values, prefix, f"_{end}", own, own["seed"])


def _shown(values: Values, states: pd.DataFrame, details: Mapping[str, np.ndarray]) -> None:
    kept = [name.rpartition("/")[0] for name in details if name.endswith("/final/patterns")]
    if not kept:
        return
    network = kept[0].rpartition("/")[0]
    own = states[states["network"] == network].set_index("state")
    values.flag("jacobian.", shown=True)
    values.put("jacobian.shown.", network=escape(network), n=integer(own["n_examples"].iloc[0]))
    for state, names in _STATES.items():
        for name in (name for name in names if name in own.index):
            values.flag("jacobian.shown.", **{state: True})
            prefix = f"jacobian.shown.{state}."
            row = own.loc[[name]]
            values.put(prefix, **{column: _single(row, column) for column in COLUMNS})
            if f"{network}/{name}/patterns" in details:
                _directions(values, prefix, f"{network}/{name}", details)


def _single(row: pd.DataFrame, column: str) -> str:
    return _alpha(row, column) if column in ALPHAS else _cell(row, column)


def _directions(values: Values, prefix: str, place: str, details: Mapping[str, np.ndarray]) -> None:
    found = concentrations(np.asarray(details[f"{place}/patterns"]))
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    values.put(prefix, concentration=with_error(float(found.mean()), float(error), 3), n_directions=integer(len(found)))
    moved = np.asarray(details[f"{place}/moved"])[0]
    values.put(prefix, moved=percent(float(max(moved[0], moved[-1]))))


def _taus(values: Values, name: str, rows: pd.DataFrame) -> None:
    for row in rows.to_dict("records"):
        tau = with_interval(row["kendall_tau"], row["kendall_low"], row["kendall_high"])
        values.put("jacobian.", **{f"{name}_{row['metric']}_{row['target']}": tau})
    own = rows.loc[rows["metric"].isin(METRICS), "n"]
    if len(own):
        values.put("jacobian.", **{f"n_{name}": integer(own.max())})
