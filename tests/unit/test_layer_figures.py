"""Figures and tables of layers: bulk, complexity, feature maps, exponents by kind, fits of linear layers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_results import measured
from test_theory_figures import assert_whole

from htsr.errors import InputError
from htsr.figures import alpha_kinds, complexity, esd, feature_maps, style, zoom
from htsr.files import read_table, write_arrays, write_table
from htsr.metrics import ranks
from htsr.spectra import marchenko_pastur
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.spectrum import to_arrays, to_header
from htsr.tables import linear_fits
from htsr.tails.fits import fit_spectrum


def spectrum_of(name="fc", n=200, m=100, spike=0.0, rank=None, kind="linear", scale=1.0, permutations=3):
    """A Gaussian matrix with a signal of this singular value, or one of low rank."""
    rng = np.random.default_rng(3)
    w = rng.standard_normal((n, m)) if rank is None else rng.standard_normal((n, rank)) @ rng.standard_normal((rank, m))
    w[:, 0] += spike * rng.standard_normal(n) / np.sqrt(n)
    return compute_spectrum(name, name, kind, {name: scale * w}, "one_over_n", permutations)


def measures_of(spectrum):
    """What the figures read of a row of measure_layers."""
    bulk = marchenko_pastur.fit_bulk(spectrum.eigenvalues, spectrum.n)
    row = {"layer": spectrum.name, "lambda_max": float(spectrum.eigenvalues[-1])}
    if bulk is None:
        return row | dict.fromkeys(("lambda_plus", "sigma_mp", "sigma_mp_stderr", "n_spikes", "phase"), np.nan)
    return row | {
        **{"lambda_plus": bulk.lambda_plus, "sigma_mp": bulk.sigma2**0.5, "n_spikes": bulk.n_spikes},
        **{"sigma_mp_stderr": bulk.sigma2_stderr / (2 * bulk.sigma2**0.5), "phase": "BULK+SPIKES"},
    }


def shown(*spectra):
    return [esd.Shown("net_$1", s, fit_spectrum(s, bootstrap=0), measures_of(s)) for s in spectra]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_law_of_the_bulk_integrates_to_the_share_of_the_bulk(scale):
    spectrum = spectrum_of(spike=60, scale=scale)
    at, density, threshold = zoom.bulk_law(spectrum, 0.99)
    measures = measures_of(spectrum)
    assert measures["n_spikes"] == 1
    assert np.trapezoid(density, at) == pytest.approx(0.99, abs=2e-3)
    assert at[-1] == pytest.approx(measures["lambda_plus"], rel=2e-2)
    assert measures["lambda_plus"] < threshold < spectrum.eigenvalues[-1]
    below = np.count_nonzero(spectrum.eigenvalues <= np.median(spectrum.eigenvalues))
    lower = at <= np.median(spectrum.eigenvalues)
    assert np.trapezoid(density[lower], at[lower]) == pytest.approx(below / 100, abs=0.03)


def test_the_law_of_the_bulk_in_another_normalization_is_the_same_law():
    spectrum = spectrum_of(spike=60)
    plain = replace(spectrum, normalization="none", eigenvalues=200 * spectrum.eigenvalues)
    for one, other, factor in zip(
        zoom.bulk_law(spectrum, 0.99), zoom.bulk_law(plain, 0.99), (200, 1 / 200, 200), strict=True
    ):
        np.testing.assert_allclose(other, factor * one, rtol=1e-9)


def test_the_law_of_a_bulk_of_low_rank_leaves_out_the_zeros():
    spectrum = spectrum_of(rank=40)
    at, density, _ = zoom.bulk_law(spectrum, 0.99)
    share = (40 - measures_of(spectrum)["n_spikes"]) / 100
    assert 0 < share < 0.41 and np.trapezoid(density, at) == pytest.approx(share, abs=2e-3)


def test_zoom_shows_every_eigenvalue_the_edge_and_the_spikes():
    spectrum = spectrum_of(spike=60)
    items = shown(spectrum)
    figure, drawn = zoom.draw(items, 0.99, without=["other"])
    assert_whole(figure)
    rows = drawn.set_index(["panel", "curve"])
    full = rows.loc[("full", "eigenvalues")]
    assert (full["y"] * (full["x_high"] - full["x"])).sum() == pytest.approx(1)
    bulk = rows.loc[("bulk", "eigenvalues")]
    inside = np.mean(spectrum.eigenvalues <= bulk["x_high"].max())
    assert inside < 1 and (bulk["y"] * (bulk["x_high"] - bulk["x"])).sum() == pytest.approx(inside)
    assert rows.loc[[("full", "edge")], "x"].tolist() == [items[0].measures["lambda_plus"]]
    spikes = rows.loc[[("full", "spikes")], "x"]
    assert spikes.tolist() == spectrum.eigenvalues[-items[0].measures["n_spikes"] :].tolist()
    assert "BULK+SPIKES" in figure.axes[1].get_title(loc="left") and "No fit: other" in figure.get_supxlabel()


def test_zoom_and_complexity_bear_little_and_much():
    odd = [spectrum_of("small", 20, 15), spectrum_of("square", 90, 90), spectrum_of("bare", permutations=0)]
    tiny = esd.Shown("net", spectrum_of("tiny", 9, 8), {}, measures_of(spectrum_of("tiny", 9, 8)))
    items = [*shown(*odd, spectrum_of("collapsed", rank=30), spectrum_of("a" * 90, spike=90)), tiny]
    for draw in (lambda chosen: zoom.draw(chosen, 0.99), complexity.draw):
        for count in (1, len(items)):
            figure, drawn = draw(items[-count:])
            assert_whole(figure)
            assert drawn["layer"].nunique() == min(count, zoom.MOST)
            assert ("1 more not shown" in figure.get_supxlabel()) == (count == len(items))
        figure, drawn = draw([])
        assert drawn.empty and not figure.axes
    assert "no bulk" in zoom.draw([tiny], 0.99)[0].axes[1].get_title(loc="left")


def test_complexity_compares_with_the_permuted_matrices():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((60, 30)) * np.linspace(1, 4, 30)
    spectrum = compute_spectrum("fc", "fc", "linear", {"fc": w}, "one_over_n", 5)
    figure, drawn = complexity.draw(shown(spectrum))
    assert_whole(figure)
    scree = drawn[(drawn["panel"] == "scree") & (drawn["curve"] == "trained")]
    np.testing.assert_allclose(scree["y"], np.linalg.svd(w, compute_uv=False), rtol=1e-10)
    permuted = drawn[(drawn["panel"] == "scree") & (drawn["curve"] == "permuted")]
    np.testing.assert_allclose(permuted["y"], np.sqrt(60 * spectrum.null)[:, ::-1].mean(axis=0))
    for panel in ("singular values", "eigenvalues"):
        for curve in ("trained", "permuted"):
            bars = drawn[(drawn["panel"] == panel) & (drawn["curve"] == curve)]
            assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(1)
    null = [ranks.entropy(values, 60) for values in spectrum.null]
    text = f"permuted {np.mean(null):.4f} ± {np.std(null, ddof=1):.4f}"
    assert figure.axes[1].get_title(loc="left").splitlines()[1] == text
    one, _ = complexity.draw(shown(spectrum_of(permutations=1)))
    assert "nan" not in one.axes[1].get_title(loc="left")


def test_feature_maps_are_the_extremes_and_the_median():
    fits = pd.DataFrame(
        {
            "layer": ["conv[0,0]", "conv[0,1]", "conv[g1,2,2]", "pooled", "fc[0,0]", "conv[1,1]", "conv[2,0]"],
            "kind": ["conv2d", "conv2d", "conv2d", "conv2d", "linear", "conv2d", "conv2d"],
            "alpha": [3.0, 2.0, 9.0, 1.5, 1.1, np.nan, 4.0],
            "status": ["ok"] * 5 + ["all values are equal", "ok"],
        }
    )
    maps = feature_maps.candidates(fits)
    assert maps["layer"].tolist() == ["conv[0,0]", "conv[0,1]", "conv[g1,2,2]", "conv[2,0]"]
    assert feature_maps.choose(maps)["layer"].tolist() == ["conv[0,1]", "conv[0,0]", "conv[g1,2,2]"]
    assert len(feature_maps.choose(maps[:2])) == 2 and feature_maps.choose(maps[:0]).empty


@pytest.mark.parametrize("count", [1, 3])
def test_feature_maps_show_density_and_distribution_with_their_power_law(count):
    items = shown(*(spectrum_of(f"conv[0,{i}]", 64, 64, kind="conv2d") for i in range(count)))
    figure, drawn = feature_maps.draw(items, 17)
    assert_whole(figure)
    assert len(figure.axes) == 2 * count and "of 17 feature maps" in figure.get_supxlabel()
    own = drawn[drawn["layer"] == "conv[0,0]"].set_index("curve")
    fit = items[0].fit
    share = fit["n_tail"] / 64
    assert own.loc["PL survival", "y"].iloc[0] == pytest.approx(share)
    assert own.loc["PL density", "y"].iloc[0] == pytest.approx(share * (fit["alpha"] - 1) / fit["xmin"])
    assert own.loc["survival", "y"].min() == pytest.approx(1 / 64)
    figure, drawn = feature_maps.draw([], 0)
    assert_whole(figure)
    assert drawn.empty and "feature maps" in figure.texts[0].get_text()


def test_exponents_by_kind_add_up():
    _, layers = measured({"a": 4, "b": 1}, weights=4, slices=3, failed=(1,))
    layers.loc[layers["weight_layer"] == "layer_0.conv", "kind"] = "linear"
    figure, drawn = alpha_kinds.draw(layers)
    assert_whole(figure)
    counts = drawn[drawn["kind"].isin(["alpha", "alpha_outside"])].groupby("group")["count"].sum()
    assert counts["all"] == counts["linear"] + counts["conv2d"] == layers["alpha"].notna().sum()
    alpha = layers["alpha"].dropna()
    title = figure.axes[0].get_title(loc="left")
    for part in (f"$<$5: {100 * (alpha < 5).mean():.0f} %", f"$<$6: {100 * (alpha < 6).mean():.0f} %", "15 failed"):
        assert part in title
    figure, drawn = alpha_kinds.draw(layers[layers["kind"] == "linear"])
    assert_whole(figure)
    assert set(drawn["group"]) == {"linear"}
    figure, drawn = alpha_kinds.draw(layers.assign(alpha=np.nan))
    assert drawn.empty and not figure.axes


def test_linear_fits_has_every_linear_layer_or_says_how_many_not():
    metrics, layers = measured({"a": 3, "b": 2}, weights=3, failed=(1,))
    layers.loc[layers["weight_layer"] != "layer_2.conv", "kind"] = "linear"
    text = linear_fits.linear_fits(layers, metrics, {"a": "Series A"})
    assert text.count(r"$64 \times 128$") == 10 and "left out" not in text
    assert "Series A" in text and "NaN or infinite entries" in text and "nan" not in text
    row = layers.iloc[0]
    assert f"{row['alpha']:.2f} [{row['alpha_low']:.2f}, {row['alpha_high']:.2f}]" in text
    metrics, layers = measured({"a": 9, "b": 9}, weights=5)
    text = linear_fits.linear_fits(layers.assign(kind="linear"), metrics, {})
    assert "50 more layers are left out" in text and r"\begin{longtable}" in text
    headings = [line for line in text.splitlines() if r"\textit" in line]
    assert len(headings) == 8 and "8 (a)" in headings[0] and "8 (b)" in headings[1] and "0 (a)" in headings[2]
    assert "nothing to report" in linear_fits.linear_fits(layers, metrics, {})


def test_stages_draw_from_files_and_refuse_what_does_not_match(tmp_path, monkeypatch):
    from htsr.stages import plot_alpha_kinds, plot_complexity, plot_feature_maps, plot_zoom

    spectra = [spectrum_of("conv[0,0]", 64, 64, kind="conv2d"), spectrum_of("fc", spike=60)]
    write_arrays(tmp_path / "esd.safetensors", to_arrays(spectra), to_header(spectra))
    write_table(tmp_path / "fits.csv", [fit_spectrum(s, bootstrap=0) for s in spectra])
    write_table(tmp_path / "measures.csv", [measures_of(s) for s in spectra])
    write_table(tmp_path / "layers.csv", measured({"a": 2})[1])
    models = {"names": ["net"], "spectra": [str(tmp_path / "esd.safetensors")], "fits": [str(tmp_path / "fits.csv")]}
    zoomed = models | {"measures": [str(tmp_path / "measures.csv")], "spike_level": 0.99}
    jobs = {
        plot_zoom: (zoomed, {"fc"}),
        plot_complexity: (models | {"layers_per_model": 2}, {"fc", "conv[0,0]"}),
        plot_feature_maps: (models, {"conv[0,0]"}),
        plot_alpha_kinds: ({"layers": [str(tmp_path / "layers.csv")]}, None),
    }
    monkeypatch.setattr(style, "save", lambda figure, drawn, pdf, png, csv: write_table(csv, drawn))
    for stage, (inputs, layers) in jobs.items():
        outputs = {kind: str(tmp_path / f"{stage.__name__}.{kind}") for kind in ("pdf", "png", "csv")}
        stage.main(OmegaConf.create(inputs | outputs))
        drawn = read_table(outputs["csv"])
        assert len(drawn) and (layers is None or set(drawn["layer"]) == layers)
        if "names" in inputs:
            with pytest.raises(SystemExit, match="lists of one length"):
                stage.main(OmegaConf.create(inputs | outputs | {"names": []}))
    write_table(tmp_path / "measures.csv", [measures_of(spectra[0])])
    with pytest.raises(SystemExit, match="no row of measures 'fc'"):
        plot_zoom.main(OmegaConf.create(zoomed | outputs))
    with pytest.raises(InputError, match="no spectrum 'fc'"):
        esd.pick("net", spectra[:1], read_table(tmp_path / "fits.csv"), ["fc"])
