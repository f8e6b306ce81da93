"""The figures and the table of the estimators, and their stages."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from htsr.figures import estimators, stability
from htsr.figures.esd import Shown
from htsr.files import read_table, write_table
from htsr.spectra.spectrum import Spectrum
from htsr.stages import plot_estimators, validate_estimators
from htsr.tables.estimators import estimators as estimators_table
from htsr.tails.fits import fit_spectrum
from htsr.tails.validation import COLUMNS, LAWS, validate_all


@pytest.fixture(scope="module")
def validations():
    return pd.DataFrame(list(validate_all([20, 60], [2.0, 3.0], 2, 1, 10)), columns=COLUMNS)


def shown(m=60, null=True, name="fc", seed=0):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((80, m)) * np.exp(rng.standard_normal(m))
    permuted = rng.permuted(w.ravel()).reshape(w.shape)
    values, other = (np.linalg.eigvalsh(v.T @ v / 80) for v in (w, permuted))
    spectrum = Spectrum(
        name, name, "linear", 80, m, 80 / m, "one_over_n", 1, values, other[None] if null else values[:0]
    )
    return Shown("Net_$1", spectrum, fit_spectrum(spectrum, bootstrap=20))


def test_estimators_draws_every_law_and_pools(validations):
    figure, drawn = estimators.draw(validations)
    assert len(figure.axes) == 3 * len(LAWS) and set(drawn["law"]) == set(LAWS)
    assert set(drawn.loc[drawn["law"] == "matrix", "estimator"]) >= {"farms", "power_law"}
    own = validations[(validations.law == "pareto") & (validations.n == 60) & (validations.estimator == "hill")]
    row = drawn[(drawn["law"] == "pareto") & (drawn["n"] == 60) & (drawn["estimator"] == "hill")].iloc[0]
    assert row["bias"] == pytest.approx((own["bias"] / (own["alpha"] - 1)).mean())
    one = validations[(validations["law"] == "pareto") & (validations["n"] == 20)]
    assert len(estimators.draw(one)[0].axes) == 3


def test_estimators_without_rows_says_so():
    figure, drawn = estimators.draw(pd.DataFrame(columns=COLUMNS))
    assert not figure.axes and not len(drawn) and "nothing to report" in estimators_table(pd.DataFrame(columns=COLUMNS))


def test_the_table_of_estimators(validations):
    text = estimators_table(validations)
    assert "longtable" not in text and "nan" not in text
    assert text.count("Hill, $k = n/2$") == len(LAWS) and text.count(r"\quad percentile") == 1
    held = validations[(validations.law == "pareto") & (validations.estimator == "hill") & (validations.n == 20)]
    line = next(line for line in text.splitlines() if line.startswith("Hill, $k = n/2$"))
    cells = [cell.strip() for cell in line.split("&")]
    assert float(cells[-3]) == pytest.approx(100 * held["coverage"].mean(), abs=0.5)


def test_stability_draws_the_spectra_and_two_comparisons():
    items = [shown(name=f"layer[{i},0]", seed=i) for i in range(6)]
    figure, drawn = stability.draw(items, ["bare"])
    assert len(figure.axes) == 6 and drawn["panel"].nunique() == 6  # four of the six
    assert set(drawn["curve"]) == {"hill", "moments", "kernel", "power law"}
    point = drawn[(drawn["panel"] == 0) & (drawn["curve"] == "power law")].iloc[0]
    fit = items[0].fit
    expected = (fit["n_tail"], fit["alpha"], fit["alpha_low"], fit["alpha_high"])
    assert (point["k"], point["alpha"], point["low"], point["high"]) == pytest.approx(expected)
    assert "2 more not shown" in figure._supxlabel.get_text() and "bare" in figure._supxlabel.get_text()
    hill = drawn[(drawn["panel"] == 0) & (drawn["curve"] == "hill")]
    half = 1.96 * (hill["alpha"] - 1) / np.sqrt(hill["k"])
    np.testing.assert_allclose(hill["high"] - hill["alpha"], half, rtol=1e-9)


def test_stability_of_few_values_or_none():
    figure, drawn = stability.draw([shown(m=10, null=False)])
    assert drawn["panel"].nunique() == len(figure.axes) == 2
    figure, drawn = stability.draw([], ["bare"])
    assert not figure.axes and not len(drawn)


def test_stages(tmp_path, monkeypatch, capsys):
    def run(stage, **settings):
        stage.main(OmegaConf.create({key: str(v) if isinstance(v, Path) else v for key, v in settings.items()}))

    small = {"replicates": 1, "matrices": 1, "sizes": [30], "exponents": [2.5], "resamples": 5}
    for name in "ab":
        run(validate_estimators, **small, validations=tmp_path / f"{name}.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = read_table(tmp_path / "a.csv")
    assert list(table) == COLUMNS and list(table["law"].unique()) == list(LAWS)
    files = {key: tmp_path / f"e.{key}" for key in ("pdf", "png", "csv")}
    write_table(tmp_path / "one.csv", table[table["law"] == "pareto"])
    run(plot_estimators, validations=tmp_path / "one.csv", **files)
    assert all(path.stat().st_size for path in files.values())
    write_table(tmp_path / "empty.csv", [], COLUMNS)
    run(plot_estimators, validations=tmp_path / "empty.csv", **files)
    for wrong, message in (
        ({"sizes": [5]}, "none below 10"),
        ({"exponents": [1.0]}, "above 1"),
        ({"resamples": 0}, "1"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(validate_estimators, **small | wrong, validations=tmp_path / "c.csv")
    assert not (tmp_path / "c.csv").exists() and math.isclose(table["n"].max(), 30)
