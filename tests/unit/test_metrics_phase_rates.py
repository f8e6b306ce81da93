"""Rates of the phases on sampled matrices: by hand, with exact intervals, and drawn."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.stats import binomtest

from htsr.figures import phase_rates as figure
from htsr.files import read_table, write_table
from htsr.metrics.measures import measure
from htsr.metrics.phase_rates import RATES, across, confusion, exact_interval, reliability
from htsr.spectra.ensembles import sample
from htsr.spectra.esd import compute_spectrum
from htsr.stages import plot_phase_rates


def table(*rows):
    names = ["law", "n", "m", "expected_phase", "phase", "phase_confidence", "mu", "signed", "strength", "spikes"]
    return pd.DataFrame([(*row, *[None] * (len(names) - len(row))) for row in rows], columns=names)


KNOWN = table(
    ("gaussian", 500, 250, "RANDOM-LIKE", "RANDOM-LIKE", 1.0),
    ("gaussian", 500, 250, "RANDOM-LIKE", "RANDOM-LIKE", 0.7),
    ("gaussian", 900, 300, "RANDOM-LIKE", "BLEEDING-OUT", 0.7),
    ("pareto", 900, 300, "HEAVY-TAILED", None, None, 1.0, True),
)
FREE = table(
    ("spiked", 500, 250, None, "RANDOM-LIKE", 0.9, None, None, 0.5, 1),
    ("spiked", 500, 250, None, "BLEEDING-OUT", 0.9, None, None, 1.5, 1),
    ("spiked", 900, 300, None, "RANDOM-LIKE", 0.9, None, None, 1.5, None),
    ("spiked", 900, 300, None, "BULK+SPIKES", 0.9, None, None, 1.5, 5),  # of several signals
    ("spiked", 900, 300, None, "BULK+SPIKES", 0.9, None, None, "[2, 3]", None),
    ("pareto", 900, 300, None, "HEAVY-TAILED", 0.9, 1.0, True),
    ("pareto", 900, 300, None, "BULK-DECAY", 0.9, 3.0, True),
    ("pareto", 900, 300, None, "BULK+SPIKES", 0.9, 3.0, False),  # with a mean
)


def test_exact_interval_is_that_of_clopper_and_pearson():
    counts, totals = np.array([0, 3, 10, 10]), np.array([7, 8, 10, 20])
    low, high = exact_interval(counts, totals)
    for i, (count, total) in enumerate(zip(counts, totals, strict=True)):
        interval = binomtest(int(count), int(total)).proportion_ci(0.95)
        assert (low[i], high[i]) == pytest.approx(tuple(interval))


def test_confusion_by_hand():
    rates = confusion(pd.concat([KNOWN, FREE])).set_index(["expected", "measured"])
    assert list(rates.columns) == RATES[2:]
    assert rates.loc[("RANDOM-LIKE", "RANDOM-LIKE"), ["count", "total"]].tolist() == [2, 3]
    assert rates.loc[("RANDOM-LIKE", "BLEEDING-OUT"), "share"] == pytest.approx(1 / 3)
    assert rates.loc[("HEAVY-TAILED", "none"), "share"] == 1  # no phase is a wrong one
    assert rates.loc[("HEAVY-TAILED", "HEAVY-TAILED"), "share"] == 0
    assert rates.groupby("expected")["count"].sum().tolist() == [1, 3]


def test_confusion_by_size():
    rates = confusion(KNOWN, by=("n", "m"))
    right = rates[rates["expected"] == rates["measured"]].set_index(["n", "m", "expected"])["share"]
    assert right.to_dict() == {
        (500, 250, "RANDOM-LIKE"): 1,
        (900, 300, "RANDOM-LIKE"): 0,
        (900, 300, "HEAVY-TAILED"): 0,
    }


def test_shares_across_a_boundary():
    rates = across(pd.concat([KNOWN, FREE]), "strength").set_index(["strength", "measured"])["share"]
    assert rates[0.5, "RANDOM-LIKE"] == 1
    assert (rates[1.5, "RANDOM-LIKE"], rates[1.5, "BLEEDING-OUT"], rates[1.5, "BULK+SPIKES"]) == (0.5, 0.5, 0)
    rates = across(pd.concat([KNOWN, FREE]), "mu").set_index(["mu", "measured"])["share"]
    assert (rates[1.0, "HEAVY-TAILED"], rates[3.0, "BULK-DECAY"]) == (1, 1)
    assert not len(across(FREE, "rank"))
    assert not len(across(FREE[FREE["mu"] == 1.0], "mu"))  # one value is no boundary
    assert not len(across(KNOWN, "mu"))


def test_reliability_by_hand():
    bins = reliability(KNOWN, edges=(0, 0.8, 1))
    assert bins["confidence"].tolist() == [0.7, 1]
    assert bins["share"].tolist() == [0.5, 1]


def test_text_of_percentages():
    """0 and 100 stand for none and all."""
    assert [figure._percent(share) for share in (0.004, 0.9, 0.996, 1.0)] == ["0.4", "90", "99.6", "100"]


def sampled(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for law, phase, parameters in [
        ("gaussian", "RANDOM-LIKE", {}),
        ("low_rank", "RANK-COLLAPSE", {"rank": 0.5}),
        *[("spiked", None, {"strength": strength, "spikes": 1}) for strength in (0.5, 1.5, 3.0)],
        *[("low_rank", None, {"rank": rank}) for rank in (0.5, 1.0)],
    ]:
        for _ in range(2):
            w = sample(law, 120, 60, rng, **parameters)
            measures = measure(compute_spectrum("a", "a", law, {"a": w}), {})
            rows.append({"law": law, "expected_phase": phase, **parameters, **measures})
    write_table(tmp_path / "ensembles.csv", pd.DataFrame(rows))
    return read_table(tmp_path / "ensembles.csv")


def test_figure_and_stage_on_sampled_matrices(tmp_path):
    ensembles = sampled(tmp_path)
    drawn = figure.draw(ensembles)[1]
    assert list(drawn.columns) == figure.DRAWN
    assert set(drawn["panel"]) == {"confusion", "confidence", "strength", "rank"}
    collapse = drawn[(drawn["panel"] == "confusion") & (drawn["expected"] == "RANK-COLLAPSE") & (drawn["count"] > 0)]
    assert collapse[["measured", "count", "total", "share"]].values.tolist() == [["RANK-COLLAPSE", 2, 2, 1]]
    files = {kind: str(tmp_path / f"figure.{kind}") for kind in ("pdf", "png", "csv")}
    plot_phase_rates.main(OmegaConf.create({"ensembles": str(tmp_path / "ensembles.csv"), **files}))
    assert len(read_table(files["csv"])) == len(drawn)


@pytest.mark.parametrize(("rows", "panels"), [(slice(0, 0), 0), (slice(0, 1), 2), (slice(4, 7), 1), (slice(0, 12), 4)])
def test_figure_of_little_data(rows, panels):
    shown, drawn = figure.draw(pd.concat([KNOWN, FREE]).iloc[rows])
    assert drawn["panel"].nunique() == panels
    assert len(shown.axes) == panels
