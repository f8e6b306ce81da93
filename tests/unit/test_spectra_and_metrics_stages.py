"""The stages compute_esd, measure_layers and collect_metrics on files, as the workflow calls them."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.files import Arrays, read_table, write_arrays, write_table
from htsr.metrics.columns import AVERAGED, COLUMNS
from htsr.spectra.spectrum import from_arrays
from htsr.stages import collect_metrics, compute_esd, measure_layers, measure_vectors

ACCURACY = {"model": "net", "accuracy": 91.73, "accuracy_source": "README", "train_accuracy": None, "n_parameters": 9}


def run(stage, **settings):
    """The stage's program without its command line."""

    def plain(value):
        return (
            [plain(v) for v in value] if isinstance(value, list) else str(value) if isinstance(value, Path) else value
        )

    stage.main(OmegaConf.create({key: plain(value) for key, value in settings.items()}))


def matrices_file(path, pooled=False):
    rng = np.random.default_rng(0)
    arrays = {f"conv[0,{j}]": rng.standard_normal((24, 12)).astype(np.float32) for j in range(3)}
    arrays["fc"] = rng.standard_normal((20, 60)).astype(np.float32)
    arrays["bad"] = np.full((12, 12), np.nan, np.float32)
    arrays["zero"] = np.zeros((12, 12), np.float32)
    entries = {
        name: {
            "layer": name.split("[")[0],
            "kind": "conv2d" if "[" in name else "linear",
            "kernel": [],
            "shape": list(w.shape),
            "pool": name.split("[")[0] if pooled else name,
        }
        for name, w in arrays.items()
    }
    write_arrays(path, arrays.items(), {**ACCURACY, "convolution": "slices", "matrices": entries})
    return arrays


def fits_file(path, esd):
    header = Arrays(esd).header["spectra"]
    rows = [
        {
            "layer": name,
            **{key: entry[key] for key in ("kind", "n", "m", "q")},
            "alpha": 2.5 + i if name not in ("bad", "zero") else None,
            "xmin": 0.5,
            "alpha_hill": 2.0,
            "ks_distance": 0.1,
            "status": {"bad": entry["status"], "zero": "all eigenvalues are zero"}.get(name, "ok"),
        }
        for i, (name, entry) in enumerate(header.items())
    ]
    write_table(path, rows)


@pytest.fixture
def made(tmp_path):
    matrices_file(tmp_path / "w.safetensors")
    run(compute_esd, layers=tmp_path / "w.safetensors", esd=tmp_path / "esd.safetensors", permutations=3, seed=5)
    fits_file(tmp_path / "fits.csv", tmp_path / "esd.safetensors")
    return tmp_path


def test_compute_esd(made):
    esd = Arrays(made / "esd.safetensors")
    assert list(esd.header["spectra"]) == ["conv[0,0]", "conv[0,1]", "conv[0,2]", "fc", "bad", "zero"]
    assert esd.header["spectra"]["bad"]["status"] == "NaN or infinite entries"
    assert {"bad", "null/bad"}.isdisjoint(esd)
    assert ACCURACY.items() <= esd.header.items()
    assert (esd.header["normalization"], esd.header["permutations"], esd.header["seed"]) == ("one_over_n", 3, 5)
    spectra = {spectrum.name: spectrum for spectrum in from_arrays(esd, esd.header)}
    w = np.asarray(Arrays(made / "w.safetensors")["fc"], float)
    np.testing.assert_allclose(spectra["fc"].eigenvalues, np.linalg.eigvalsh(w @ w.T) / 60, rtol=1e-9)
    assert spectra["fc"].null.shape == (3, 20)
    run(compute_esd, layers=made / "w.safetensors", esd=made / "again.safetensors", permutations=3, seed=5)
    assert (made / "again.safetensors").read_bytes() == (made / "esd.safetensors").read_bytes()


def test_compute_esd_pools_slices_and_skips_the_null(tmp_path):
    matrices_file(tmp_path / "w.safetensors", pooled=True)
    run(
        compute_esd,
        layers=tmp_path / "w.safetensors",
        esd=tmp_path / "esd.safetensors",
        permutations=0,
        normalization="weightwatcher",
    )
    esd = Arrays(tmp_path / "esd.safetensors")
    assert list(esd) == ["conv", "windows/conv", "fc", "windows/fc", "zero", "windows/zero"]
    assert esd.header["spectra"]["conv"]["n_matrices"] == 3
    norms = [(np.asarray(w, float) ** 2).sum() for name, w in Arrays(tmp_path / "w.safetensors").items() if "[" in name]
    assert esd["conv"].shape == (36,)
    assert esd["conv"].sum() == pytest.approx(sum(norms) / 2)


def test_measure_layers(made):
    run(measure_layers, esd=made / "esd.safetensors", fits=made / "fits.csv", measures=made / "measures.csv")
    table = read_table(made / "measures.csv").set_index("layer")
    assert table["status"].tolist() == ["ok"] * 4 + ["NaN or infinite entries", "all eigenvalues are zero"]
    numbers = table.columns.drop(["kind", "n", "m", "q", "status"])
    assert table.loc[["bad", "zero"], numbers].isna().all(axis=None)
    assert table.loc["fc", numbers].notna().all()
    values = Arrays(made / "esd.safetensors")["fc"]
    assert table.loc["fc", "alpha_weighted"] == pytest.approx(5.5 * np.log10(values[-1]))
    assert table.loc["fc", "matrix_rank"] == 20


def test_measure_layers_refuses_fits_of_other_spectra(made):
    write_table(made / "other.csv", [{"layer": "fc", "alpha": 2.0, "status": "ok"}])
    with pytest.raises(SystemExit, match=r"other\.csv: its layers are not those of .*esd\.safetensors"):
        run(measure_layers, esd=made / "esd.safetensors", fits=made / "other.csv", measures=made / "m.csv")
    assert not (made / "m.csv").exists()


def test_collect_metrics(made):
    run(measure_layers, esd=made / "esd.safetensors", fits=made / "fits.csv", measures=made / "measures.csv")
    write_table(made / "weights.csv", [{"layer": name, "kind": "linear", "status": "ok"} for name in "abcd"])
    run(
        measure_vectors,
        layers=made / "w.safetensors",
        measures=made / "measures.csv",
        table=made / "vectors.csv",
        vectors=made / "vectors.safetensors",
    )
    failed = read_table(made / "fits.csv").assign(status="too few eigenvalues", alpha=None)
    write_table(made / "failed.csv", failed)
    run(
        collect_metrics,
        series="nets",
        title="Nets",
        dataset="digits",
        models=["net", "broken"],
        titles=["Net, 1", "Broken"],
        fits=[made / "fits.csv", made / "failed.csv"],
        measures=[made / "measures.csv"] * 2,
        vectors=[made / "vectors.csv"] * 2,
        esds=[made / "esd.safetensors"] * 2,
        listings=[made / "weights.csv"] * 2,
        metrics=made / "nets.csv",
        layers=made / "nets_layers.csv",
    )
    metrics = read_table(made / "nets.csv")
    assert set(metrics.columns) <= set(COLUMNS)
    net, broken = metrics.iloc[0], metrics.iloc[1]
    assert [net["series"], net["model"], net["title"], net["dataset"]] == ["nets", "net", "Net, 1", "digits"]
    assert (net["accuracy"], net["error"], net["n_parameters"], net["depth"]) == (91.73, 8.27, 9, 4)
    assert (net["n_matrices"], net["n_failed"]) == (4, 2)
    assert net["alpha"] == pytest.approx(np.mean([2.5, 3.5, 4.5, 5.5]))
    assert net["alpha_stderr"] == pytest.approx(np.std([2.5, 3.5, 4.5, 5.5], ddof=1) / 2)
    assert (broken["n_matrices"], broken["n_failed"]) == (0, 6)
    assert broken[[*AVERAGED]].isna().all()
    layers = read_table(made / "nets_layers.csv")
    assert list(layers.columns[:4]) == ["series", "model", "layer", "weight_layer"]
    assert len(layers) == 12
    assert layers["weight_layer"][0] == "conv"
    assert {"alpha", "lambda_max", "phase", "entropy_right_bulk", "status"} <= set(layers.columns)
    assert set(layers.columns) <= set(COLUMNS)
    assert layers.loc[layers["layer"] == "fc", "entropy_right_bulk"].between(0.5, 1).all()


def test_collect_metrics_counts_its_files(made):
    settings = {key: [made / "fits.csv"] for key in ("titles", "fits", "measures", "vectors", "esds", "listings")}
    with pytest.raises(SystemExit, match="series nets: 2 models, but 1 titles"):
        run(
            collect_metrics,
            **{"series": "nets", "title": "t", "dataset": "d", "models": ["a", "b"], **settings},
            metrics=made / "nets.csv",
            layers=made / "nets_layers.csv",
        )


@pytest.mark.parametrize("setting", [{"permutations": -1}, {"seed": -1}])
def test_negative_settings_are_refused(made, setting):
    with pytest.raises(SystemExit, match="must not be negative"):
        run(compute_esd, layers=made / "w.safetensors", esd=made / "x.safetensors", **setting)


def test_files_that_are_no_matrices_are_refused(tmp_path):
    write_arrays(tmp_path / "w.safetensors", [], {"model": "a"})
    with pytest.raises(SystemExit, match="lists no matrices"):
        run(compute_esd, layers=tmp_path / "w.safetensors", esd=tmp_path / "esd.safetensors")
    with pytest.raises(SystemExit, match="not a readable safetensors file"):
        run(compute_esd, layers=tmp_path / "missing", esd=tmp_path / "esd.safetensors")
