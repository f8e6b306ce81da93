"""Figures and table of random matrices: what is drawn, against closed forms, with little data and with none."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy import integrate, stats
from test_tables import cells, compile_tex

from htsr.errors import InputError
from htsr.figures import finite_size, heavy_tails, laws, phases, spikes, style
from htsr.figures.densities import fitted_bulk
from htsr.files import read_table, write_arrays, write_table
from htsr.metrics.measures import measure
from htsr.spectra import marchenko_pastur, semicircle, tracy_widom
from htsr.spectra.ensembles import sample
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.permutation import generator
from htsr.spectra.spectrum import to_arrays, to_header
from htsr.statistics import samples
from htsr.statistics.exponent_sweep import fixed, main_shape, sweep, sweep_lines
from htsr.statistics.linear_fits import fit_line
from htsr.tables import classes
from htsr.tails.fits import fit_spectrum

LINES = {"very": {"mu_low": 0.5, "mu_high": 2.0, "slope": 0.649, "intercept": 0.862}}
SWEEP = [
    (law, n, m, {"mu": mu, "signed": law == "pareto"}, None)
    for law in ("pareto", "lomax")
    for n, m in ((80, 40), (160, 40), (160, 80))
    for mu in (1.0, 1.5, 2.0, 3.0, 5.0)
]
ENSEMBLES = {
    "noise": [("gaussian", 80, 40, {}, "RANDOM-LIKE")] * 8 + [("wigner", 40, 40, {}, None)],
    "signals": [("spiked", 120, 60, {"strength": t}, None) for t in (0.5, 1.5, 2.0, 4.0) for _ in range(2)]
    + [("spiked", 120, 60, {"strength": 4.0, "spikes": 3}, "BULK+SPIKES")],
    "tails": [*SWEEP, ("student_t", 120, 40, {"mu": 3.0}, None), ("pareto", 160, 80, {"mu": 1.0}, "HEAVY-TAILED")],
    "others": [
        ("htmp", 120, 40, {"kappa": 4.0, "inverse": True}, None),
        ("low_rank", 80, 40, {"rank": 0.5}, "RANK-COLLAPSE"),
    ],
}


@pytest.fixture(scope="module")
def sampled():
    """The table of small ensembles of every law, their spectra by ensemble and name, and the records."""
    rows, spectra, records = [], {}, {}
    for ensemble, entries in ENSEMBLES.items():
        records[ensemble] = []
        for i, (law, n, m, parameters, phase) in enumerate(entries):
            name = f"{law}[{ensemble},{i}]"
            w = sample(law, n, m, generator(0, name), **parameters)
            spectrum = compute_spectrum(name, law, law, {name: w}, "one_over_n", 0, 0)
            fit = fit_spectrum(spectrum, bootstrap=0)
            row = {"ensemble": ensemble, "layer": name, "law": law, "expected_phase": phase, **parameters}
            rows.append(measure(spectrum, fit) | fit | row | {"n": n, "m": m})
            records[ensemble].append(spectrum)
        spectra[ensemble] = {spectrum.name: spectrum.eigenvalues for spectrum in records[ensemble]}
    return SimpleNamespace(table=pd.DataFrame(rows), spectra=spectra, records=records)


def draw(module, table, spectra):
    if module is spikes:
        simulated = [{"strength": t, "sample": i, "left": 0.2 * t, "right": 0.21 * t} for t in (0.5, 4) for i in (0, 1)]
        return module.draw(table, spectra, pd.DataFrame(simulated))
    return module.draw(table, LINES if module is finite_size else spectra)


def assert_whole(figure):
    """Layout succeeds without a warning, no text or mark reaches beyond the page, no text says nan."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if figure.axes:  # a message has nothing to lay out
            figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert width == style.WIDTH and height <= style.HEIGHT
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    texts = [axis.get_title(loc="left") for axis in figure.axes]
    texts += [text.get_text() for axis in figure.axes if axis.get_legend() for text in axis.get_legend().get_texts()]
    assert not any("nan" in text for text in texts), texts


def curve(drawn, panel, name):
    return drawn[(drawn["panel"] == panel) & (drawn["curve"] == name)]


@pytest.mark.parametrize("module", [laws, spikes, heavy_tails, finite_size, phases])
def test_figures_are_whole_with_little_data_and_say_where_there_is_none(sampled, module):
    figure, drawn = draw(module, sampled.table, sampled.spectra)
    assert_whole(figure)
    assert len(drawn) and drawn["curve"].notna().all()
    figure, drawn = draw(module, sampled.table.iloc[:0], sampled.spectra)
    assert_whole(figure)
    if module is laws:  # closed forms need no data
        assert not drawn["curve"].str.contains("eigenvalues,|edge", regex=True).any()
    else:
        assert drawn.empty and not figure.axes and "No ensemble" in figure.texts[0].get_text()


@pytest.mark.parametrize("module", [laws, spikes, heavy_tails, phases])
def test_a_spectrum_that_is_missing_stops_with_its_name(sampled, module):
    with pytest.raises(InputError, match="make both anew"):
        draw(module, sampled.table, {name: {} for name in sampled.spectra})


def test_laws_are_the_closed_forms_over_unit_area(sampled):
    _, drawn = laws.draw(sampled.table, sampled.spectra)
    for q in laws.ASPECTS:
        law = curve(drawn, "aspect ratio", f"MP, Q = {q}")
        np.testing.assert_allclose(law["y"], marchenko_pastur.density(law["x"], q))
        assert integrate.trapezoid(law["y"], law["x"]) == pytest.approx(1, abs=0.01 if q > 1 else 0.1)
    bars = curve(drawn, "aspect ratio", "eigenvalues, Q = 2")
    assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(1)
    assert set(bars["n"]) == {40} and "eigenvalues, Q = 10" not in set(drawn["curve"])
    scaled = curve(drawn, "variance", "eigenvalues, sigma2 = 2")
    np.testing.assert_allclose(scaled["x_high"].max(), 2 * bars["x_high"].max())
    folded = curve(drawn, "semicircle", "absolute eigenvalues")
    assert (folded["y"] * (folded["x_high"] - folded["x"])).sum() == pytest.approx(1)
    law = curve(drawn, "semicircle", "semicircle of absolute values")
    np.testing.assert_allclose(law["y"], 2 * semicircle.density(law["x"]))
    edge = curve(drawn, "edge", "edge, 80 x 40")
    assert len(edge) == 8 and edge["y"].iloc[-1] == 1
    centre, scale = tracy_widom.largest_eigenvalue(80, 40)
    largest = sampled.table.loc[sampled.table["law"] == "gaussian", "lambda_max"]
    np.testing.assert_allclose(edge["x"], np.sort((80 * largest - centre) / scale))


def test_mean_of_tracy_widom():
    x = np.linspace(-9, 9, 3601)
    mean = integrate.trapezoid(tracy_widom.survival(x), x) + x[0]
    assert mean == pytest.approx(laws.TW1_MEAN, abs=1e-5)


def test_spikes_show_samples_means_and_the_formula(sampled):
    _, drawn = draw(spikes, sampled.table, sampled.spectra)
    single = sampled.table[(sampled.table["law"] == "spiked") & (sampled.table["spikes"] != 3)]
    means = curve(drawn, "position", "mean").set_index("x")
    assert means.index.tolist() == [0.5, 1.5, 2.0, 4.0] and set(means["n"]) == {2}
    for strength, own in single.groupby("strength"):
        values = own["lambda_max"]
        assert means.loc[strength, "y"] == pytest.approx(values.mean())
        assert means.loc[strength, "y_high"] - values.mean() == pytest.approx(values.std() / 2**0.5)
    formula = curve(drawn, "position", "formula")
    q, edge = 2, marchenko_pastur.edges(2)[1]
    assert np.allclose(formula.loc[formula["x"] <= 1, "y"], edge)
    delta2 = formula["x"] ** 2 / q**0.5
    beyond = formula["x"] > 1
    np.testing.assert_allclose(formula["y"][beyond], ((1 / q + delta2) * (1 + 1 / delta2))[beyond])
    position = curve(drawn, "spectrum", "predicted position")["x"].item()
    found = curve(drawn, "spectrum", "spikes")["x"]
    assert len(found) == 3 and found.between(0.75 * position, 1.25 * position).all()
    assert curve(drawn, "overlap", "left mean")["y"].tolist() == pytest.approx([0.1, 0.8])


def test_spikes_without_matrices_of_one_signal(sampled):
    figure, drawn = spikes.draw(
        sampled.table[sampled.table["spikes"] == 3], sampled.spectra, pd.DataFrame(columns=spikes.OVERLAPS)
    )
    assert set(drawn["panel"]) == {"spectrum"}
    assert sum("no matrices with one signal" in text.get_text() for axis in figure.axes for text in axis.texts) == 2


def test_simulated_overlaps_follow_the_formula():
    from htsr.spectra import spiked
    from htsr.stages.plot_spikes import overlaps

    rng = np.random.default_rng(0)
    found = np.array([overlaps(200, 100, 3.0, rng) for _ in range(20)])
    expected = np.array(spiked.overlaps(3 * spiked.threshold(2), 2))
    stderr = found.std(axis=0, ddof=1) / 20**0.5
    assert (np.abs(found.mean(axis=0) - expected) < 4 * stderr + 1 / 200).all()
    assert expected[0] < expected[1], "the longer vector is the harder to see"


def test_heavy_tails_draw_the_fit_and_the_limit_from_one_point(sampled):
    figure, drawn = heavy_tails.draw(sampled.table, sampled.spectra)
    assert len(figure.axes) == 7
    panel = "pareto, mu = 3"
    prepared = samples.prepare(sampled.table)
    row = samples.nearest_shape(samples.select(prepared, "pareto", mu=3.0, signed=True), 3).iloc[0]
    fitted, limit = curve(drawn, panel, "power law"), curve(drawn, panel, "limiting exponent")
    for law, exponent in ((fitted, row["alpha"]), (limit, 2.5)):
        slope = np.polyfit(np.log(law["x"]), np.log(law["y"]), 1)[0]
        assert -slope == pytest.approx(exponent)
        assert law["x"].iloc[[0, -1]].tolist() == pytest.approx([row["xmin"], row["lambda_max"]])
    assert fitted["y"].iloc[0] == limit["y"].iloc[0]
    assert integrate.trapezoid(fitted["y"], fitted["x"]) < 1
    assert len(curve(drawn, "lomax, mu = 3", "spike of the mean")) == 1
    assert curve(drawn, panel, "spike of the mean").empty, "random signs have mean 0"
    assert curve(drawn, "pareto, mu = 1", "MP of the same variance").empty, "no variance below mu = 2"


def test_phases_show_one_matrix_each(sampled):
    figure, drawn = phases.draw(sampled.table.assign(phase_confidence=0.93), sampled.spectra)
    order = ["RANDOM-LIKE", "BULK+SPIKES", "HEAVY-TAILED", "RANK-COLLAPSE"]
    assert drawn["panel"].unique().tolist() == order
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert all("93 %" in title for title in titles)
    assert "zeros" in figure.axes[3].texts[0].get_text()
    assert curve(drawn, "RANK-COLLAPSE", "zeros")["y"].item() == 0.5
    bars, spikes_of = curve(drawn, "BULK+SPIKES", "eigenvalues"), curve(drawn, "BULK+SPIKES", "spikes")
    assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(1 - len(spikes_of) / 60)
    assert len(curve(drawn, "HEAVY-TAILED", "power law")) and curve(drawn, "RANDOM-LIKE", "power law").empty
    figure, _ = phases.draw(sampled.table.drop(columns="phase_confidence", errors="ignore"), sampled.spectra)
    assert "%" not in figure.axes[0].get_title(loc="left")


def test_finite_size_draws_means_lines_and_every_matrix(sampled):
    _, drawn = finite_size.draw(sampled.table, LINES)
    prepared = sweep(samples.prepare(sampled.table))
    assert main_shape(prepared) == (160, 80)
    own = samples.select(prepared, "pareto", n=160, m=80, mu=1.0, signed=True)
    point = curve(drawn, "one shape", "pareto").set_index("x").loc[1.0]
    assert point["samples"] == len(own) == 2 and point["y"] == pytest.approx(own["alpha"].mean())
    assert curve(drawn, "fixed m", "lomax")[["n", "m"]].drop_duplicates().to_numpy().tolist() == [[80, 40], [160, 40]]
    assert curve(drawn, "fixed n", "lomax")[["n", "m"]].drop_duplicates().to_numpy().tolist() == [[160, 40], [160, 80]]
    published = curve(drawn, "one shape", "published very")
    np.testing.assert_allclose(published["y"], 0.649 * published["x"] + 0.862)
    fit = sweep_lines(prepared).lines["lomax"][0.5, 2.0]
    line = curve(drawn, "one shape", "least squares lomax, 0.5 to 2")
    np.testing.assert_allclose(line["y"], fit.slope * line["x"] + fit.intercept)
    assert fit.n == 3 and np.isfinite(fit.slope_stderr)
    norms = drawn[drawn["panel"] == "norms"]
    beyond = int((~prepared["log_stable_rank"].between(*finite_size.RATIOS)).sum())
    assert len(norms) == len(prepared) - beyond
    figure, drawn = finite_size.draw(sampled.table, {})
    assert len(figure.axes) == 5 and not drawn["curve"].str.startswith("published").any()
    assert len(fixed(prepared, "m", "n")["m"].unique()) == 1


def test_line_is_that_of_statsmodels():
    from statsmodels.api import OLS, add_constant

    rng = np.random.default_rng(0)
    x = rng.uniform(1, 3, 20)
    y = 2 * x - 1 + x * rng.normal(size=20)
    model = OLS(y, add_constant(x)).fit(cov_type="HC3")
    fit = fit_line(np.append(x, np.nan), np.append(y, 1.0))
    assert (fit.intercept, fit.slope) == pytest.approx(tuple(model.params), rel=1e-9)
    assert (fit.intercept_stderr, fit.slope_stderr) == pytest.approx(tuple(model.bse), rel=1e-9)
    assert fit.n == 20
    two = fit_line([0, 1], [1, 3])
    assert two[:2] == pytest.approx((2, 1)) and np.isnan(two.slope_stderr)
    assert fit_line([1, 1, 1], [1, 2, 3]) is None and fit_line([], []) is None


def test_standard_error_of_a_line_is_the_scatter_of_its_slope():
    rng = np.random.default_rng(1)
    x = np.repeat([0.5, 1.0, 1.5, 2.0], 5)
    fits = [fit_line(x, 1 + x / 2 + 0.1 * x**2 * rng.normal(size=20)) for _ in range(1500)]
    slopes = np.array([fit.slope for fit in fits])
    expected = np.sqrt(np.mean([fit.slope_stderr**2 for fit in fits]))
    assert slopes.mean() == pytest.approx(0.5, abs=4 * slopes.std() / 1500**0.5)
    assert slopes.std() < expected < 1.25 * slopes.std(), "HC3 errs on the large side"


def test_parameters_are_filled_in_and_no_matrix_counts_twice():
    table = pd.DataFrame(
        {
            "ensemble": ["a", "a", "b", "b"],
            "layer": ["spiked[0]", "pareto[0]", "spiked[0]", "lomax[0]"],
            "law": ["spiked", "pareto", "spiked", "lomax"],
            "strength": [2.0, np.nan, 2.0, np.nan],
            "mu": [np.nan, 1.0, np.nan, 1.0],
            "signed": [np.nan, np.nan, np.nan, False],
        }
    )
    prepared = samples.prepare(table)
    assert prepared["layer"].tolist() == ["spiked[0]", "pareto[0]", "lomax[0]"]
    assert prepared["spikes"].tolist()[0] == 1 and prepared["spikes"].isna().tolist() == [False, True, True]
    assert len(samples.select(prepared, "pareto", signed=True)) == 1
    assert len(samples.select(prepared, "lomax", signed=True)) == 0
    assert len(samples.select(prepared, "htmp", inverse=True)) == 0
    assert "spikes" not in table, "the given table is left as it was"


def test_choices_of_shapes_and_values():
    rows = pd.DataFrame({"n": [200, 400, 400, 800], "m": [100, 100, 200, 200]})
    assert samples.nearest_shape(rows, 3).to_numpy().tolist() == [[800, 200]]
    assert samples.nearest_shape(rows, 2).to_numpy().tolist() == [[400, 200]]
    assert samples.spread(pd.Series([0.5, 1.5, 3, 3.5, np.nan]), (1, 3, 5)) == [0.5, 3, 3.5]
    assert samples.spread(pd.Series([2.0]), (1, 3, 5)) == [2.0]


@pytest.mark.parametrize("mu", [2.5, 3.0, 5.0])
def test_moments_of_entries_are_those_of_scipy(mu):
    known = {
        ("pareto", False): stats.pareto(mu),
        ("lomax", False): stats.lomax(mu),
        ("student_t", None): stats.t(mu),
    }
    for (law, signed), distribution in known.items():
        moments = samples.entry_moments({"law": law, "mu": mu, "signed": signed})
        assert moments == pytest.approx((distribution.mean(), distribution.var()))
        if signed is False:
            moments = samples.entry_moments({"law": law, "mu": mu, "signed": True})
            assert moments == pytest.approx((0, distribution.var() + distribution.mean() ** 2))
    assert np.isnan(samples.entry_moments({"law": "student_t", "mu": 2.0, "signed": None})[1])


def test_the_mean_of_the_entries_is_a_spike():
    row = {"law": "lomax", "mu": 5.0, "signed": False, "n": 400, "m": 200}
    rng = np.random.default_rng(0)
    largest = [np.linalg.norm(sample("lomax", 400, 200, rng, mu=5.0, signed=False), 2) ** 2 / 400 for _ in range(10)]
    off = np.mean(largest) / samples.mean_spike(row) - 1
    assert abs(off) < 4 * np.std(largest, ddof=1) / 10**0.5 / np.mean(largest)


def test_limiting_exponents():
    assert samples.tail_exponent({"law": "student_t", "mu": 1.0}) == 1.5
    assert samples.tail_exponent({"law": "htmp", "q": 3.0, "kappa": 4.0, "inverse": True}) == 5.0
    assert np.isnan(samples.tail_exponent({"law": "gaussian", "mu": np.nan}))


def test_table_of_classes_fits_the_page(sampled, tmp_path):
    text = classes.classes(sampled.table)
    assert cells(text) == {7}
    for name in ("Gaussian &", "3 signals, 4 times", "Student's t, $\\mu = 3$", "$\\kappa = 4$", "Very heavy-tailed"):
        assert name in text
    assert "(2.50)" in text and "& 1.50 &" in text and "nan" not in text
    code, log = compile_tex(tmp_path, text)
    assert code == 0, log[-2000:]
    assert "Overfull \\hbox" not in log
    code, log = compile_tex(tmp_path, classes.classes(sampled.table.iloc[:0]))
    assert code == 0, log[-2000:]


def test_findings_are_the_statistics_of_the_table(sampled):
    found = classes.findings(sampled.table)
    gaussian = sampled.table[sampled.table["law"] == "gaussian"]
    hits = int((gaussian["n_spikes"] > 0).sum())
    assert found["false_alarm"] == hits / 8 and found["false_alarm_n"] == 8
    # Clopper and Pearson by quantiles of beta
    assert found["false_alarm_high"] == pytest.approx(stats.beta.ppf(0.975, hits + 1, 8 - hits))
    assert found["edge"] == pytest.approx(samples.rescaled_edge(gaussian).mean())
    assert found["bbp_n"] == 6 and abs(found["bbp"]) < 0.2
    assert found["detected_strong_n"] == 6 and found["detected_below_n"] == 2
    assert (found["sweep_n"], found["sweep_m"]) == (160, 80)
    lomax = samples.select(sweep(samples.prepare(sampled.table)), "lomax", n=160, m=80)
    fit = stats.linregress(*lomax.loc[lomax["mu"] <= 2, ["mu", "alpha"]].to_numpy().T)
    assert found["line_lomax_very_slope"] == pytest.approx(fit.slope)
    assert found["plateau_lomax"] == lomax.loc[lomax["mu"] == 5, "alpha"].item()
    assert found["alpha_student_t_3_limit"] == 2.5 and found["alpha_htmp_4_limit"] == 5.0
    assert found["mean_spike"] == pytest.approx(1, abs=0.1)
    ranked = sweep(samples.prepare(sampled.table))
    ten = (2 * ranked["log_norm"] + 2) / (ranked["log_spectral_norm"] + 2)
    assert found["norm_gap_10"] == pytest.approx((ranked["alpha"] - ten).abs().median())
    very = ranked[ranked["mu"] <= 2]
    assert found["norm_gap_very"] == pytest.approx((very["alpha"] - very["log_stable_rank"]).abs().median())
    assert all(isinstance(value, float | int) for value in found.values())
    assert classes.findings(sampled.table.iloc[:0]) == {}


def test_stages_draw_from_files(sampled, tmp_path, monkeypatch):
    from htsr.stages import plot_finite_size, plot_heavy_tails, plot_laws, plot_phases, plot_spikes

    write_table(tmp_path / "ensembles.csv", sampled.table)
    paths = []
    for name, records in sampled.records.items():
        paths.append(str(tmp_path / f"{name}.safetensors"))
        write_arrays(paths[-1], to_arrays(records), {"ensemble": name, **to_header(records)})
    monkeypatch.setattr(style, "save", lambda figure, drawn, pdf, png, csv: write_table(csv, drawn))
    for stage in (plot_laws, plot_heavy_tails, plot_phases, plot_spikes, plot_finite_size):
        job = {"ensembles": str(tmp_path / "ensembles.csv"), "pdf": "", "png": "", "csv": str(tmp_path / "drawn.csv")}
        job |= {"published": {"lines": LINES}} if stage is plot_finite_size else {"spectra": paths}
        stage.main(OmegaConf.create(job))
        drawn = read_table(tmp_path / "drawn.csv")
        assert len(drawn) > 50
        if stage is plot_spikes:
            assert set(curve(drawn, "overlap", "right mean")["n"]) == {10}
            first = (tmp_path / "drawn.csv").read_bytes()
            stage.main(OmegaConf.create(job))
            assert (tmp_path / "drawn.csv").read_bytes() == first
    with pytest.raises(SystemExit, match="overlap_samples"):
        job = {"ensembles": str(tmp_path / "ensembles.csv"), "spectra": paths, "pdf": "", "png": "", "csv": ""}
        plot_spikes.main(OmegaConf.create(job | {"overlap_samples": 0}))


def test_fitted_bulk_is_that_of_the_fit():
    """The eigenvalues without k spikes lie on the drawn law: its integral is the share at every quantile."""
    figure = style.new_figure(2)
    values = (
        np.sort(np.linalg.svd(sample("spiked", 400, 200, generator(0, "x"), strength=4.0, spikes=20))[1]) ** 2 / 400
    )
    bulk = marchenko_pastur.fit_bulk(values, 400)
    row = {"n": 400, "matrix_rank": 200, "n_spikes": bulk.n_spikes, "sigma_mp": bulk.sigma2**0.5}
    drawn = pd.DataFrame(fitted_bulk(figure.subplots(), "panel", row, 200))
    below = integrate.cumulative_trapezoid(drawn["y"], drawn["x"], initial=0)
    assert bulk.n_spikes == 20 and below[-1] == pytest.approx(0.9, abs=1e-3)
    expected = np.searchsorted(values, drawn["x"]) / 200
    assert np.abs(below - expected)[drawn["x"] <= values[179]].max() < 0.02
