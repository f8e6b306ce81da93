"""The universality classes of random matrices: what the theory says of each, and what sampled matrices show."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from htsr.metrics.columns import COLUMNS
from htsr.metrics.phase_rates import exact_interval
from htsr.spectra import spiked, tracy_widom
from htsr.statistics.exponent_sweep import ENTRIES, MODERATE, VERY, sweep, sweep_lines
from htsr.statistics.samples import (
    Mean,
    ks_test,
    mean,
    mean_spike,
    nearest_shape,
    one_signal,
    prepare,
    rescaled_edge,
    select,
    tail_exponent,
)
from htsr.tables.labels import MATRIX
from htsr.tables.latex import Column, Heading, escape, number, significant, table, with_error
from htsr.tables.results import LAWS

ASPECT = 3  # of the matrices shown, where there are several
STRONG = 1.5  # times the threshold: far enough from it for the formula of large matrices
PLATEAU = 4.0  # μ from which the published exponents do not rise any more

_ENTRIES = (  # printed name, law, its flags
    ("Pareto, random signs", "pareto", {"signed": True}),
    ("Lomax, random signs", "lomax", {"signed": True}),
    ("Lomax, without signs", "lomax", {"signed": False}),
    ("Student's t", "student_t", {}),
)
_HEAVY = (  # heading, ends of μ, the μ to show where there are several
    (r"Weakly heavy-tailed, $4 < \mu$", (4, np.inf), 5.0),
    (r"Moderately heavy-tailed, $2 < \mu < 4$", (2, 4), 3.0),
    (r"Very heavy-tailed, $0 < \mu < 2$", (0, 2), 1.0),
)


def classes(ensembles: pd.DataFrame) -> str:
    """One row for each law and parameter, under the headings of the classes; matrices of aspect ratio ASPECT.

    ensembles: one row a matrix (collect_ensembles). The limiting exponent is that of the tail of the density, 1 + μ/2
    in parentheses where its share of the eigenvalues vanishes.
    """
    columns = [
        Column("entries", 1.5),
        Column("limit"),
        Column(COLUMNS["alpha"].symbol, "l"),
        Column(r"$\lambda_{\mathrm{max}}/\lambda_+$"),
        Column(COLUMNS["n_spikes"].symbol),
        Column("phase", 1.45),
        Column("best fit", 0.8),
    ]
    rows: list = []
    for heading, members in _members(prepare(ensembles)):
        if members:
            rows.append(Heading(heading, _sizes([own for _, own in members])))
            rows += [_row(name, own) for name, own in members]
    note = r"$\alpha$: mean $\pm$ standard error over matrices; $\lambda_{\mathrm{max}}/\lambda_+$, spikes: medians; "
    note += "phase, best fit: the most frequent with its count; power law (PL), truncated power law (TPL), lognormal "
    note += r"(LN), exponential (E). Limit: exponent of the tail, in parentheses ($\mu > 2$) where its share of the "
    note += rf"eigenvalues vanishes and the limiting law is Marchenko-Pastur. Eigenvalues of {MATRIX['one_over_n']}."
    return table(columns, rows, note)


def _members(prepared: pd.DataFrame) -> Iterator[tuple[str, list[tuple[str, pd.DataFrame]]]]:
    """Headings, and the rows below each: printed name and matrices."""
    yield "Gaussian", [("Gaussian", own) for own in [nearest_shape(select(prepared, "gaussian"), ASPECT)] if len(own)]
    signals = select(prepared, "spiked")
    signals = nearest_shape(signals[signals["strength"] > 1], ASPECT)
    yield (
        "Spiked: Gaussian with signals beyond the threshold",
        [
            (f"{spikes:g} {'signal' if spikes == 1 else 'signals'}, {strength:g} times", own)
            for (spikes, strength), own in signals.groupby(["spikes", "strength"])
        ],
    )
    for heading, (low, high), wanted in _HEAVY:
        found = []
        for name, law, flags in _ENTRIES:
            own = select(prepared, law, **flags)
            own = nearest_shape(own[(own["mu"] > low) & (own["mu"] < high)], ASPECT)
            if len(own):
                mu = min(sorted(own["mu"].unique()), key=lambda value: abs(value - wanted))
                found.append((rf"{escape(name)}, $\mu = {mu:g}$", own[own["mu"] == mu]))
        yield heading, found
    htmp = nearest_shape(select(prepared, "htmp", inverse=True), ASPECT)
    yield (
        "High-temperature Marchenko-Pastur, inverted",
        [(rf"$\kappa = {kappa:g}$", own) for kappa, own in htmp.groupby("kappa")],
    )


def _sizes(members: list[pd.DataFrame]) -> str:
    """Shapes and numbers of matrices that stand below a heading."""
    sizes = {
        rf"{len(own)} {'matrix' if len(own) == 1 else 'matrices'} ${own['n'].iloc[0]}\times{own['m'].iloc[0]}$"
        for own in members
    }
    return ", ".join(sorted(sizes)) + (" each" if len(members) > 1 and len(sizes) == 1 else "")


def _row(name: str, own: pd.DataFrame) -> list[str]:
    first, alpha = own.iloc[0].to_dict(), mean(own["alpha"])
    limit = tail_exponent(first)
    vanishing = first["law"] != "htmp" and first["mu"] > 2
    ratio = (own["lambda_max"] / own["lambda_plus"]).median()
    return [
        name,
        f"({number(limit)})" if vanishing else number(limit),
        with_error(alpha.mean, alpha.stderr),
        significant(ratio) if ratio >= 1000 else number(ratio),
        number(own["n_spikes"].median(), 0),
        _majority(own["phase"]),
        _majority(own["best_fit"].map(lambda law: LAWS.get(law, law), na_action="ignore")),
    ]


def _majority(names: pd.Series) -> str:
    """The most frequent name and its count of all."""
    counts = names.dropna().value_counts(sort=False).sort_values(ascending=False, kind="stable")
    return f"{escape(counts.index[0])} {counts.iloc[0]}/{len(names)}" if len(counts) else escape(None)


def findings(ensembles: pd.DataFrame) -> dict[str, float]:
    """The numbers of the random matrices that a text needs, by name; what was not sampled is left out.

    false_alarm[_low, _high, _n]    share of Gaussian matrices with a spike, exact 95 % interval, their number
    edge[_stderr, _n, _ks, _p]      mean rescaled largest eigenvalue of Gaussian matrices, distance from Tracy-Widom
    bbp[_stderr, _n]                mean of λmax/formula - 1 for one signal of STRONG times the threshold or more
    bbp_worst[_stderr, _strength]   the strength whose mean deviates most
    detected_below[_low, _high, _n] share of matrices with a spike, one signal below the threshold; detected_strong: of
                                    STRONG times or more
    sweep_n, sweep_m                shape of the lines α = slope·μ + intercept that follow
    line_<entries>_<very|moderate>_<slope|intercept>[_stderr], _n    entries: pareto, lomax, lomax_signed
    plateau_<entries>[_stderr, _n]  mean α for μ >= PLATEAU of that shape
    alpha_<entries>_<μ>[_stderr, _n, _limit]   entries as above and student_t, μ = 1, 3, 5, aspect ratio ASPECT
    alpha_htmp_<κ>[...]             the same of inverted high-temperature matrices
    mean_spike[_stderr, _n]         λmax over the position that the mean of the entries gives, Lomax, μ > 3
    norm_gap[_very, _10]            median |α - log ‖W‖²/log λmax| over the sweep, of very heavy tails, of all matrices
                                    times ten
    norm_spearman[_very]            rank correlation of the two
    """
    prepared = prepare(ensembles)
    found: dict[str, float] = {}
    gaussian = select(prepared, "gaussian")
    gaussian = gaussian[gaussian["lambda_max"].notna()]
    _share(found, "false_alarm", gaussian["n_spikes"].dropna() > 0)
    if len(gaussian):
        edge = rescaled_edge(gaussian)
        distance, p = ks_test(edge, 1 - tracy_widom.survival(np.sort(edge)))
        _mean(found, "edge", mean(edge))
        found |= {"edge_ks": distance, "edge_p": p}
    _signals(found, one_signal(select(prepared, "spiked")))
    rows = sweep(prepared)
    if len(rows):
        _sweep(found, rows)
    for name, (law, flags) in {key: (law, {"signed": sign}) for key, (law, sign) in ENTRIES.items()}.items():
        _exponents(found, name, nearest_shape(select(prepared, law, **flags), ASPECT), "mu")
    _exponents(found, "student_t", nearest_shape(select(prepared, "student_t"), ASPECT), "mu")
    _exponents(found, "htmp", nearest_shape(select(prepared, "htmp", inverse=True), ASPECT), "kappa")
    lomax = select(prepared, "lomax", signed=False)
    lomax = lomax[lomax["mu"] > 3]
    if len(lomax):
        position = np.array([mean_spike(row) for row in lomax.to_dict("records")])
        _mean(found, "mean_spike", mean(lomax["lambda_max"] / position))
    return found


def _mean(found: dict[str, float], name: str, value: Mean) -> None:
    found |= {name: value.mean, f"{name}_stderr": value.stderr, f"{name}_n": value.n}


def _share(found: dict[str, float], name: str, hits: pd.Series) -> None:
    """A share with its exact (Clopper and Pearson 1934) 95 % interval."""
    if len(hits):
        low, high = exact_interval(int(hits.sum()), len(hits))
        share = {name: float(hits.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
        found |= share | {f"{name}_n": len(hits)}


def _signals(found: dict[str, float], single: pd.DataFrame) -> None:
    single = single[single["n_spikes"].notna()]
    _share(found, "detected_below", single.loc[single["strength"] < 1, "n_spikes"] > 0)
    strong = single[single["strength"] >= STRONG]
    _share(found, "detected_strong", strong["n_spikes"] > 0)
    if len(strong):
        q = strong["n"] / strong["m"]
        off = strong["lambda_max"] / spiked.outlier(strong["strength"] * spiked.threshold(q), q) - 1
        _mean(found, "bbp", mean(off))
        means = {strength: mean(off[own.index]) for strength, own in strong.groupby("strength")}
        worst = max(means, key=lambda strength: abs(means[strength].mean))
        _mean(found, "bbp_worst", means[worst])
        found["bbp_worst_strength"] = float(worst)


def _sweep(found: dict[str, float], rows: pd.DataFrame) -> None:
    fits = sweep_lines(rows)
    n, m = fits.shape
    found |= {"sweep_n": n, "sweep_m": m}
    for name, ranges in fits.lines.items():
        for label, ends in (("very", VERY), ("moderate", MODERATE)):
            if ranges[ends] is not None:
                found |= {f"line_{name}_{label}_{key}": value for key, value in ranges[ends]._asdict().items()}
        own = rows[(rows["n"] == n) & (rows["m"] == m) & (rows["entries"] == name) & (rows["mu"] >= PLATEAU)]
        if len(own):
            _mean(found, f"plateau_{name}", mean(own["alpha"]))
    ranked = rows[rows["log_stable_rank"].notna()]
    # Ten times as large: ‖W‖² and λmax a hundred times.
    scaled = (2 * ranked["log_norm"] + 2) / (ranked["log_spectral_norm"] + 2)
    found["norm_gap_10"] = float((ranked["alpha"] - scaled).abs().median())
    for suffix, own in (("", ranked), ("_very", ranked[ranked["mu"] <= VERY[1]])):
        found[f"norm_gap{suffix}"] = float((own["alpha"] - own["log_stable_rank"]).abs().median())
        found[f"norm_spearman{suffix}"] = float(own[["alpha", "log_stable_rank"]].corr("spearman").iloc[0, 1])


def _exponents(found: dict[str, float], name: str, rows: pd.DataFrame, parameter: str) -> None:
    for value, own in rows[rows["alpha"].notna()].groupby(parameter):
        if parameter == "kappa" or value in (1, 3, 5):
            key = f"alpha_{name}_{value:g}"
            _mean(found, key, mean(own["alpha"]))
            found[f"{key}_limit"] = tail_exponent(own.iloc[0].to_dict())
