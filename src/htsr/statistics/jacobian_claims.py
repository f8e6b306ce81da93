"""Claims about Jacobians: the tests of layers and of sweeps, on one row for each state of each network.

A column is one of `htsr.statistics.jacobian_states`: of the state (effective_rank, correlation_alignment, ...) or
`<spectrum>_<column>` of one of its spectra (softmax_alpha, diagonal_alpha, ...). `jacobian_<test>` is the test of that
name: those of `layer_claims` judge the final states of the networks of all series, which are trained on true labels and
are the independent units; those of `sweep_claims` judge the states of a sweep's networks in the course of training,
where the seeds are.
"""

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from htsr.statistics import verdict
from htsr.statistics.evidence import Judging, NotMeasured, Tables, bounds, number
from htsr.statistics.jacobian_states import concentrations, random_concentration
from htsr.statistics.layer_claims import mean_has_sign, share_among, share_close, share_in_range
from htsr.statistics.student import student
from htsr.statistics.sweep_claims import changes_in_training, differs_along, spectra_differ, trend
from htsr.statistics.verdict import Evidence

OUTSIDE = ("pixels", "untrained")
"""States that are no point in the course of a training."""


def of_series(tables: Tables) -> Tables:
    """The final states of the networks of all series in place of layers. Raises NotMeasured where there are none."""
    measured = _measured(tables)
    swept = tables.training.networks["series"] if tables.training is not None else []
    rows = measured[measured["final"] & ~measured["collection"].isin(swept)]
    if rows.empty:
        raise NotMeasured("no Jacobians of the networks of a series")
    names = rows.rename(columns={"collection": "series", "network": "model"})
    return replace(tables, layers=names.assign(weight_layer="").reset_index(drop=True))


def of_sweeps(tables: Tables) -> Tables:
    """States in the course of training in place of the layers of sweeps.

    Raises NotMeasured where no networks of sweeps have Jacobians.
    """
    measured, training = _measured(tables), tables.training
    if training is None:
        raise NotMeasured("no sweeps of trained networks")
    rows = measured[measured["collection"].isin(training.networks["series"]) & ~measured["state"].isin(OUTSIDE)]
    names = {axis: None for axes in training.axes.values() for axis in axes}
    settings = training.networks[["series", "model", "seed", *names]]
    keys = {"series": "sweep", "model": "network"}
    rows = rows.rename(columns={"collection": "sweep"}).merge(settings.rename(columns=keys), on=["sweep", "network"])
    rows = rows.assign(epoch=rows["epoch"].astype(int), weight_layer="", n=rows["n_examples"])
    return replace(tables, training=replace(training, layers=rows))


def _measured(tables: Tables) -> pd.DataFrame:
    """States with a Jacobian. Raises NotMeasured where the experiment has none."""
    if tables.jacobians is None:
        raise NotMeasured("no Jacobians")
    return tables.jacobians.states.dropna(subset="norm")


def _on(view: Callable[[Tables], Tables], test: Callable[..., Evidence]) -> Callable[..., Evidence]:
    @functools.wraps(test)
    def judged(tables: Tables, judging: Judging, **arguments) -> Evidence:
        return test(view(tables), judging, **arguments)

    judged.__name__ = f"jacobian_{test.__name__}"
    return judged


def jacobian_spectra_differ(tables: Tables, judging: Judging, part: str, axis: str, spectrum: str) -> Evidence:
    """Direction: as `spectra_differ`, for one spectrum of the final Jacobians."""
    found = of_sweeps(tables)
    rows, eigenvalues = found.training.layers, tables.jacobians.eigenvalues
    names = {
        f"{row.network}/{row.epoch}/{spectrum}": f"{row.network}/{row.state}/{spectrum}"
        for row in rows[rows["final"]].itertuples()
    }
    chosen = {name: eigenvalues[place] for name, place in names.items() if place in eigenvalues}
    found = replace(found, training=replace(found.training, spectra=chosen))
    evidence = spectra_differ(found, judging, part, axis)
    return replace(evidence, reason=f"{spectrum}: {evidence.reason}")


def directions_act_on_few_classes(tables: Tables, judging: Judging, state: str = "final") -> Evidence:
    """Direction: the largest singular directions move the probabilities of fewer classes than random directions do.

    Effect: mean Σ q_c² of their patterns (`jacobian_states.concentrations`) less its value for random directions.
    Interval and p: Student's t over the directions of the networks whose directions are kept; it speaks of these alone.
    """
    patterns = tables.jacobians.patterns if tables.jacobians is not None else {}
    kept = [np.asarray(values) for name, values in patterns.items() if name.endswith(f"/{state}/patterns")]
    if not kept:
        raise NotMeasured(f"no directions of a network in the state {state}")
    null = random_concentration(kept[0].shape[1])
    found = student(np.concatenate([concentrations(values) for values in kept]) - null, judging.level)
    p = f", p = {number(found.p)}" if np.isfinite(found.p) else ""
    reason = (
        f"mean sum of squared class shares is {number(found.mean + null)}, of random directions {number(null)}: "
        f"difference {number(found.mean)} ({bounds(found.low, found.high, judging.level)}{p}, {found.n} directions of "
        f"{len(kept)} network{'s' * (len(kept) > 1)})"
    )
    decided = verdict.direction(found.mean, found.low, found.high, found.p, judging.significance)
    return Evidence(decided, reason, found.mean, found.low, found.high, found.p, found.n)


TESTS = (
    *(_on(of_series, test) for test in (share_in_range, share_among, share_close, mean_has_sign)),
    *(_on(of_sweeps, test) for test in (trend, changes_in_training, differs_along)),
    jacobian_spectra_differ,
    directions_act_on_few_classes,
)
