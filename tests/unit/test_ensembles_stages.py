"""The stages sample_ensemble and collect_ensembles on files, as the workflow calls them."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.files import Arrays, read_table
from htsr.spectra.spectrum import from_arrays
from htsr.stages import collect_ensembles, fit_power_law, measure_layers, sample_ensemble

PARTS = {
    "noise": {"law": "gaussian", "shapes": [[60, 30], [40, 40]], "samples": 2, "phase": "RANDOM-LIKE"},
    "tails": {"law": "pareto", "shapes": [[60, 30]], "parameters": {"mu": [1.0, 3.0], "signed": [True]}},
}


def run(stage, **settings):
    """The stage's program without its command line."""
    stage.main(OmegaConf.create(settings))


def sampled(folder, parts=PARTS, **settings):
    esd, listing = folder / "esd.safetensors", folder / "listing.csv"
    run(sample_ensemble, name="toy", ensemble={"parts": parts}, esd=str(esd), listing=str(listing), **settings)
    return list(from_arrays(Arrays(esd), Arrays(esd).header)), read_table(listing)


def test_every_combination_is_sampled_and_listed(tmp_path):
    spectra, listing = sampled(tmp_path)
    assert [s.name for s in spectra] == listing["layer"].tolist()
    assert listing["layer"].tolist()[:2] == ["noise[n=60,m=30,sample=0]", "noise[n=60,m=30,sample=1]"]
    assert listing["law"].tolist() == ["gaussian"] * 4 + ["pareto"] * 2
    assert listing["mu"].tolist()[4:] == [1.0, 3.0] and listing["mu"].isna().sum() == 4
    assert listing["phase"].tolist()[:4] == ["RANDOM-LIKE"] * 4 and listing["phase"].isna().sum() == 2
    assert [(s.n, s.m, s.kind, s.normalization) for s in spectra[::3]] == [
        (60, 30, "gaussian", "one_over_n"),
        (40, 40, "gaussian", "one_over_n"),
    ]
    # The mean eigenvalue of WᵀW/N is the variance of the entries, here from 1800 of them.
    assert spectra[0].eigenvalues.mean() == pytest.approx(1, abs=5 * np.sqrt(2 / 1800))


def test_a_spectrum_depends_on_seed_and_name_only(tmp_path):
    first, _ = sampled(tmp_path)
    fewer, _ = sampled(tmp_path, {"tails": PARTS["tails"]})
    other, _ = sampled(tmp_path, {"tails": PARTS["tails"]}, seed=1)
    assert np.array_equal(first[4].eigenvalues, fewer[0].eigenvalues)
    assert not np.array_equal(first[4].eigenvalues, other[0].eigenvalues)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"law": "gaussian", "shapes": []}, "at least one shape"),
        ({"law": "gaussian", "shapes": [[30, 60]]}, "N >= M"),
        ({"law": "gaussian", "shapes": [[60, 30]], "samples": 0}, "one sample"),
        ({"law": "gauss", "shapes": [[60, 30]]}, "unknown law 'gauss'"),
        ({"law": "pareto", "shapes": [[60, 30]], "parameters": {"mu": [-1.0]}}, "mu"),
        ({"law": "pareto", "shapes": [[60, 30]], "parameters": {"nu": [1.0]}}, "nu"),
        ({"law": "pareto", "shapes": [[60, 30]], "parameters": {"mu": []}}, "list of values"),
        ({"law": "pareto", "shapes": [[60, 30]], "parameters": {"sample": [1]}}, "parameters.sample"),
    ],
)
def test_an_impossible_part_is_named(tmp_path, capsys, part, says):
    with pytest.raises(SystemExit) as error:
        sampled(tmp_path, {"wrong": part})
    assert says in str(error.value) and "wrong" in str(error.value) and "toy" in str(error.value)
    assert not (tmp_path / "esd.safetensors").exists()


def collected(tmp_path, **files):
    sampled(tmp_path)
    esd, fits, measures = (str(tmp_path / name) for name in ("esd.safetensors", "fits.csv", "measures.csv"))
    run(fit_power_law, esd=esd, fits=fits, bootstrap=5)
    run(measure_layers, esd=esd, fits=fits, measures=measures)
    given = {"names": ["toy"], "listings": [str(tmp_path / "listing.csv")], "fits": [fits], "measures": [measures]}
    run(collect_ensembles, **given | files, table=str(tmp_path / "table.csv"))
    return read_table(tmp_path / "table.csv")


def test_ensembles_take_the_road_of_layers(tmp_path):
    table = collected(tmp_path)
    assert table["ensemble"].unique().tolist() == ["toy"] and len(table) == 6
    assert table["expected_phase"].tolist()[:4] == ["RANDOM-LIKE"] * 4
    assert table.columns.is_unique and {"alpha", "lambda_plus", "phase", "status", "mu", "n", "m", "q"} <= {*table}
    assert table.loc[0, "q"] == 2 and table.loc[0, "lambda_plus"] == pytest.approx((1 + 0.5**0.5) ** 2, rel=0.2)


def test_tables_of_other_spectra_are_refused(tmp_path):
    collected(tmp_path)
    (tmp_path / "other.csv").write_text("layer,law,n,m,sample,phase\nx,gaussian,1,1,0,\n")
    with pytest.raises(SystemExit, match="make both anew"):
        collected(tmp_path, listings=[str(tmp_path / "other.csv")])
