"""Claims about loss landscapes: surfaces, Hessians, trajectories and pairs of solutions (Li et al. 2018).

Every test takes the name of a table of `landscape_tables`, `where`, which says what rows of it count (a value for each
of some columns), and a column. The independent units are networks, or pairs of them: not points of a surface, nor
random directions, over which the measures of a surface are means already.

    landscape_differs, _interacts, _acts_more   pairs of networks of one sweep that differ in the value of one axis and
                                                in nothing else; all such pairs count, of every sweep that has the axis,
                                                whatever the values of its other axes and the seed
    landscape_trend                             networks of one sweep; those of the same other settings are compared
    landscape_tracks, _beats                    trainings of one sweep with different settings, means over seeds
    landscape_mean_has_sign, _share_in_range    all networks, or pairs that a path joins, of sweeps or not

With pairs, networks and rows in place of seeds, models and matrices, the tests of the weights do the work
(`sweep_claims`, `model_claims`, `layer_claims`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.statistics import verdict
from htsr.statistics.evidence import Judging, NotMeasured, Tables, Training, bounds, described, number
from htsr.statistics.landscape_tables import measured
from htsr.statistics.layer_claims import mean_has_sign, share_in_range
from htsr.statistics.metrics_table import GAP, TARGETS
from htsr.statistics.model_claims import beats_rivals, tracks_accuracy
from htsr.statistics.regression import Sampling, regress
from htsr.statistics.student import student
from htsr.statistics.sweep_claims import differs_along, trend
from htsr.statistics.verdict import Evidence

PART = "landscape"
ROWS = {
    **{"summary": "surfaces", "lines": "lines", "ends": "Hessians", "plane": "Hessians", "maps": "maps"},
    **{"curvature": "measurements", "explained": "trajectories", "solutions": "comparisons", "networks": "states"},
}
"""What the rows of each table are called in reasons."""


def landscape_differs(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    axis: str,
    expected: str = "larger",
    first: str = "",
    second: str = "",
    across: str = "",
    end: str = "",
) -> Evidence:
    """Direction: column is larger (smaller) at the second value of an axis than at the first.

    first, second: labels of the axis; by default the least and the greatest number of each sweep. across, end: only
    networks at the `least` or `greatest` number of another axis. Differences are those of pairs of networks; interval
    and p: Student's t over the pairs.
    """
    rows = _of_axis(tables, measured(tables, table, where, column), axis)
    if across:
        rows, least, greatest = _ends(_of_axis(tables, rows, across), across)
        if end not in ("least", "greatest"):
            raise InputError(f"end: {end!r} is neither least nor greatest")
        rows = rows[rows[across] == (least if end == "least" else greatest)]
    rows, *ends = _ends(rows, axis, first, second)
    evidence = differs_along(_sweep(tables, rows, axis), judging, PART, axis, column, expected, *ends)
    at = f"at {across} {rows[across].iloc[0]}: " if across else ""
    more = _censored(rows, column) + _single(tables, rows)
    return _worded(evidence, {"seeds": "pairs of networks", "seed": "pair of networks"}, at, more)


def landscape_interacts(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    axis: str,
    across: str,
    expected: str = "larger",
    first: str = "",
    second: str = "",
) -> Evidence:
    """Direction: the change of column from the least to the greatest number of an axis is larger (smaller) at the
    second value of another axis, `across`, than at the first.

    first, second: labels of `across`; by default its least and greatest number. Interval and p: Student's t over fours
    of networks.
    """
    rows = _of_axis(tables, _of_axis(tables, _trained(measured(tables, table, where, column)), axis), across)
    rows, *inner = _ends(rows, axis)
    rows, *outer = _ends(rows, across, first, second)
    rows = rows.assign(setting=_settings(tables, rows, axis))
    keys = ["setting", "seed", "surface"]
    one, two = (rows[rows[axis] == value] for value in inner)
    pairs = two.merge(one[[*keys, column]], on=keys, suffixes=("", "_first"))
    if pairs.empty:
        raise NotMeasured(f"no seed has networks at {axis} {inner[0]} and {inner[1]}")
    change = f"change of {column} from {axis} {inner[0]} to {inner[1]}"
    pairs[change] = pairs[column] - pairs[f"{column}_first"]
    view = _sweep(tables, pairs, across, fixed=(axis,))
    evidence = differs_along(view, judging, PART, across, change, expected, *outer)
    words = {"seeds": "fours of networks", "seed": "four of networks"}
    return _worded(evidence, words, more=_censored(rows, column) + _single(tables, rows))


def landscape_trend(
    tables: Tables, judging: Judging, table: str, where: dict, column: str, axis: str, expected: str = "positive"
) -> Evidence:
    """Direction: column and an axis are ranked alike (oppositely) among networks with the same values of all others.

    Kendall's τ-b; interval and p as in `sweep_claims.trend`.
    """
    rows = _of_axis(tables, measured(tables, table, where, column), axis)
    evidence = trend(_sweep(tables, rows, axis), judging, PART, axis, column, expected)
    return _worded(evidence, {"layers": "surfaces"}, more=_censored(rows, column) + _single(tables, rows))


def landscape_acts_more(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    how: str,
    values: list,
    axis: str,
    first: str = "",
    second: str = "",
) -> Evidence:
    """Direction: how a landscape is measured moves column more than an axis of the networks does.

    how, values: a column of the table, such as batch_norm, and its two values. Effect: over pairs of networks, mean
    |change| between these values of both networks, less the mean |change| along the axis at both values. Interval and
    p: Student's t over the pairs.
    """
    rows = _of_axis(tables, _trained(measured(tables, table, where, column)), axis)
    rows, *ends = _ends(rows[rows[how].isin(values)], axis, first, second)
    rows = rows.assign(setting=_settings(tables, rows, axis))
    wide = rows.pivot_table(column, ["setting", "seed"], [axis, how], sort=False)
    wide = wide.reindex(columns=pd.MultiIndex.from_product([ends, values])).dropna()
    if wide.empty:
        raise NotMeasured(f"no pair of networks at {axis} {ends[0]} and {ends[1]} has {column} with both {how}")
    cells = wide.to_numpy().reshape(-1, 2, 2)  # pairs, axis, how
    measuring, moving = np.abs(np.diff(cells, axis=2)).mean((1, 2)), np.abs(np.diff(cells, axis=1)).mean((1, 2))
    found = student(measuring - moving, judging.level)
    p = f", p = {number(found.p)}" if np.isfinite(found.p) else ""
    reason = (
        f"mean |change| of {column} is {number(measuring.mean())} between {how} {' and '.join(map(str, values))} and "
        f"{number(moving.mean())} between {axis} {ends[0]} and {ends[1]}: difference {number(found.mean)} "
        f"({bounds(found.low, found.high, judging.level)}{p}, {_count(found.n, 'pair')} of networks)"
        f"{_censored(rows, column)}{_single(tables, rows)}"
    )
    decided = verdict.direction(found.mean, np.nan, np.nan, found.p, judging.significance)
    return Evidence(decided, reason, found.mean, found.low, found.high, found.p, found.n)


def landscape_tracks(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    target: str = "error",
    expected: str = "positive",
) -> Evidence:
    """Direction: column and error, accuracy or gap are ranked alike (oppositely) within sweeps: `tracks_accuracy`."""
    rows = measured(tables, table, where, column)
    models = _trainings(tables, rows, [column])
    view = replace(tables, models=models, regressions=_regressions(models, judging))
    return _of_trainings(tables, tracks_accuracy(view, judging, column, target, expected), rows, column)


def landscape_beats(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    rival: dict,
    column: str,
    target: str = "error",
    expected: str = "positive",
) -> Evidence:
    """Direction: column of the rows of `where` ranks the trainings of a sweep better by error than the same column of
    the rows of `rival` does: `beats_rivals`."""
    rows, others = (measured(tables, table, chosen, column) for chosen in (where, rival))
    unlike = {key: value for key, value in rival.items() if where.get(key) != value}
    name = f"{column} ({described(unlike)})"
    others = others.groupby("network")[column].mean().rename(name)
    rows = rows.join(others, on="network").dropna(subset=name)
    view = replace(tables, models=_trainings(tables, rows, [column, name]))
    return _of_trainings(tables, beats_rivals(view, judging, column, [name], target, expected), rows, column)


def landscape_mean_has_sign(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    expected: str = "positive",
    reference: str = "",
) -> Evidence:
    """Direction: the mean over networks of column, less a reference column, is positive (negative): `mean_has_sign`."""
    rows = _trained(measured(tables, table, where, column, *([reference] if reference else [])))
    return _of_units(table, rows, mean_has_sign(_layers(tables, rows), judging, column, expected, reference))


def landscape_share_in_range(
    tables: Tables,
    judging: Judging,
    table: str,
    where: dict,
    column: str,
    low: float,
    high: float,
    threshold: float = 0.5,
) -> Evidence:
    """Fraction: column lies in [low, high] for more than the threshold of all rows: `share_in_range`."""
    rows = _trained(measured(tables, table, where, column))
    evidence = share_in_range(_layers(tables, rows), judging, column, low, high, threshold)
    return _of_units(table, rows, evidence, f"; median {number(rows[column].median())}")


def _trained(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of networks that diverged. Raises NotMeasured where there are no others."""
    rows = rows[rows["training"].isna() | (rows["training"] == "ok")]
    if rows.empty:
        raise NotMeasured("no such network that was trained")
    return rows


def _of_axis(tables: Tables, rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The rows of networks of sweeps that have the axis. Raises NotMeasured where there are none."""
    axes = tables.training.axes if tables.training is not None else {}
    rows = rows[rows["sweep"].isin([sweep for sweep, own in axes.items() if axis in own])]
    if rows.empty:
        raise NotMeasured(f"none of the networks belongs to a sweep over {axis}")
    return rows


def _ends(rows: pd.DataFrame, axis: str, first: str = "", second: str = "") -> tuple[pd.DataFrame, str, str]:
    """The rows at two values of an axis, which they are told as, and what these are called.

    By default the least and the greatest number of each sweep: so they are called where sweeps have different ones.
    """
    if first:
        return rows[rows[axis].isin([first, second])], first, second
    values = pd.to_numeric(rows[axis], errors="coerce")
    if values.isna().any():
        raise InputError(f"the axis {axis} has labels, not numbers: name two of them as first and second")
    least, greatest = (values.groupby(rows["sweep"]).transform(end) for end in ("min", "max"))
    outer = (least < greatest) & ((values == least) | (values == greatest))
    if not outer.any():
        raise NotMeasured(f"the networks do not differ in {axis}")
    names = [number(ends[outer].iloc[0]) if ends[outer].nunique() == 1 else "" for ends in (least, greatest)]
    first, second = names if all(names) else ("least", "greatest")
    return rows.assign(**{axis: np.where(values == least, first, second)})[outer], first, second


def _settings(tables: Tables, rows: pd.DataFrame, *but: str) -> list[str]:
    """For each row a label of its sweep and the values on the sweep's axes, but for some of them."""
    axes = tables.training.axes
    return [
        " ".join([row["sweep"], *(f"{axis}={row[axis]}" for axis in axes[row["sweep"]] if axis not in but)])
        for row in rows.to_dict("records")
    ]


def _sweep(tables: Tables, rows: pd.DataFrame, axis: str, fixed: tuple[str, ...] = ()) -> Tables:
    """The rows as final states of the networks of one sweep, whose axes are the given one and all others together.

    What is alike in all of the other axes and in its seed counts as one seed. fixed: axes along which rows are changes.
    """
    setting = _settings(tables, rows, axis, *fixed)
    unit = pd.factorize(pd.Series(setting, rows.index) + " " + rows["seed"].astype(str))[0]
    names = {"sweep": PART, "setting": setting, "seed": unit, "weight_layer": rows["surface"].astype(str)}
    layers = rows.assign(**names, epoch=0, final=True)
    networks = layers[["network", "seed", "training"]].drop_duplicates("network").assign(series=PART)
    networks = networks.rename(columns={"network": "model", "training": "status"})
    axes = {PART: [axis, "setting"]}
    return replace(tables, training=Training(layers, networks, {PART: PART}, axes, tables.training.regressions))


def _layers(tables: Tables, rows: pd.DataFrame) -> Tables:
    """The rows in place of matrices, and what they belong to (`unit`) in place of models."""
    names = {"series": "", "model": rows["unit"], "weight_layer": rows["surface"].astype(str)}
    return replace(tables, models=pd.DataFrame(), layers=rows.assign(**names))


def _trainings(tables: Tables, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Trainings of sweeps in place of models: means of the columns and of error, accuracy and gap over the seeds."""
    rows = _trained(rows[rows["sweep"].notna()])
    own = rows.assign(model=_settings(tables, rows))
    own = own.groupby(["sweep", "model", "network"], sort=False)[columns].mean().reset_index()
    targets = [name for name in (*TARGETS, GAP) if name in tables.training.networks]
    known = tables.training.networks[["model", *targets]].rename(columns={"model": "network"})
    own = own.merge(known, on="network").rename(columns={"sweep": "series"})
    return own.groupby(["series", "model"], sort=False)[[*columns, *targets]].mean().reset_index()


def _regressions(models: pd.DataFrame, judging: Judging) -> pd.DataFrame:
    return regress(models, Sampling(judging.resamples, judging.level, judging.seed))


def _of_trainings(tables: Tables, evidence: Evidence, rows: pd.DataFrame, column: str) -> Evidence:
    words = {"within-series": "within-sweep", "1 series": "1 sweep", "series": "sweeps", "models": "trainings"}
    more = _censored(rows, column) + _single(tables, rows[rows["sweep"].notna()])
    return _worded(evidence, words, more=more)


def _of_units(table: str, rows: pd.DataFrame, evidence: Evidence, more: str = "") -> Evidence:
    """Evidence with the words for the rows of a table, and the number of networks or pairs for that of rows."""
    units = "independent pairs of networks" if " and " in rows["unit"].iloc[0] else "networks"
    words = {"matrices": ROWS[table], "models": units}
    return replace(_worded(evidence, words, more=more), n=rows["unit"].nunique())


def _worded(evidence: Evidence, words: Mapping[str, str], before: str = "", more: str = "") -> Evidence:
    """Evidence whose reason has other words, and more of them."""
    reason = evidence.reason
    for old, new in words.items():
        reason = re.sub(rf"\b{old}\b", new, reason)
    reason = re.sub(r"(?<![\d.])1 (pair|surface|Hessian|network|training|comparison)s\b", r"1 \1", reason)
    return replace(evidence, reason=before + reason + more)


def _censored(rows: pd.DataFrame, column: str) -> str:
    """A remark where surfaces end before the loss has risen as far as a width is defined by."""
    reached = re.sub(r"^(log_)?width_", "reached_", column)
    if reached == column or reached not in rows or not (rows[reached] < 1).any():
        return ""
    share = 100 * rows[reached].mean()
    return f"; the loss rises so far on {share:.0f} % of the rays, of the others the whole length counts"


def _single(tables: Tables, rows: pd.DataFrame) -> str:
    """A remark where no setting was trained twice."""
    if not len(rows) or rows.assign(setting=_settings(tables, rows)).groupby("setting")["network"].nunique().max() > 1:
        return ""
    return "; one network a setting, so that the setting is not told from the luck of its training"


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"


TESTS = (
    *(landscape_differs, landscape_interacts, landscape_trend, landscape_acts_more, landscape_tracks, landscape_beats),
    *(landscape_mean_has_sign, landscape_share_in_range),
)
