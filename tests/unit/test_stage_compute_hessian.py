"""The stage compute_hessian on files, as the workflow calls it."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.files import Arrays, read_table
from htsr.landscape import hessian
from htsr.networks.trained import examples, load_trained
from htsr.spectra.spectrum import from_arrays
from htsr.stages import compute_hessian, fit_power_law, measure_layers, train_model

NETWORK = {"name": "mlp", "width": 8, "depth": 2}
SETTINGS = {"trace_probes": 4, "density_probes": 3, "density_steps": 10}
TABLES = ("ends", "curvature", "plane")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("trained")
    train_model.main(
        OmegaConf.create(
            {
                "name": "small", "network": NETWORK, "train_fraction": 0.2, "epochs": 2, "images": str(digits),
                **{key: str(folder / f"{key}.safetensors") for key in ("weights", "states")},
                "history": str(folder / "history.csv"),
            }
        )
    )  # fmt: skip
    return folder


def run(trained, digits, out, **settings):
    files = {key: str(out / f"{key}.csv") for key in TABLES}
    files |= {key: str(out / f"{key}.safetensors") for key in ("density", "esd")}
    given = {"name": "toy", "set": {"title": "toy"}, "names": ["small"], "images": str(digits), **SETTINGS, **files}
    given |= {key: [str(trained / f"{key}.safetensors")] for key in ("weights", "states")}
    compute_hessian.main(OmegaConf.create(given | settings))
    return {key: read_table(file) for key, file in files.items() if key in TABLES}


def test_all_that_can_be_measured(trained, digits, tmp_path):
    entry = {
        "title": "toy", "states": "ends", "examples": 40, "layers": True, "density": True, "gauss_newton": 5,
        "exact": 100, "scales": [0.01, 0.1], "directions": 3, "plane": {"networks": ["small"], "points": [3, 3]},
    }  # fmt: skip
    found = run(trained, digits, tmp_path, set=entry)
    ends = found["ends"]
    assert list(zip(ends["epoch"], ends["layer"], strict=True)) == [
        (epoch, layer) for epoch in (0, 2) for layer in ("all", "fc1", "fc2")
    ]
    assert (ends["status"] == "ok").all() and (ends["lambda_min"] < ends["lambda_max"]).all()
    assert (ends["n_examples"] == 40).all() and ends["n_parameters"].tolist() == [610, 520, 90] * 2
    own = load_trained(trained / "weights.safetensors", digits)
    data = examples(own, "train", 40, 0)
    values = np.linalg.eigvalsh(
        hessian.dense(hessian.hessian_product(own.network, data.images, data.labels, double=True), 610)
    )
    row = ends.iloc[3]
    assert abs(row["lambda_max"] - values[-1]) <= row["lambda_max_bound"] < 2e-3 * values[-1]
    assert abs(row["lambda_min"] - values[0]) <= row["lambda_min_bound"] < 2e-3 * values[-1]

    curvature = found["curvature"]
    assert len(curvature) == 2 * 2 * 2 and set(curvature["direction"]) == {"random", "top_eigenvector"}
    top = curvature[(curvature["epoch"] == 2) & (curvature["direction"] == "top_eigenvector")]
    assert top["exact"].iloc[0] == pytest.approx(row["lambda_max"], rel=1e-5)
    plane = found["plane"]
    assert len(plane) == 18 and (plane["status"] == "ok").all()
    centre = plane[(plane["a"] == 0) & (plane["b"] == 0) & (plane["epoch"] == 2)].iloc[0]
    assert abs(centre["ratio"] - row["ratio"]) <= centre["ratio_bound"] + row["ratio_bound"]

    density = Arrays(tmp_path / "density.safetensors")
    grid, values = density["small[epoch=2]/grid"], density["small[epoch=2]/density"]
    assert np.trapezoid(values, grid) == pytest.approx(1, abs=0.01)
    arrays = Arrays(tmp_path / "esd.safetensors")
    spectra = {s.name: s for s in from_arrays(arrays, arrays.header)}
    assert set(spectra) == {
        f"small[epoch={epoch}]{name}"
        for epoch in (0, 2)
        for name in ("all[gauss_newton]", "fc1[gauss_newton]", "fc2[gauss_newton]", "fc2[hessian]")
    }
    whole = spectra["small[epoch=2]all[gauss_newton]"]
    assert (whole.n, whole.m, len(whole.eigenvalues), whole.normalization) == (610, 45, 45, "none")
    # the loss is convex in the last layer, and moving all classes alike changes nothing: rank (8 + 1) x (10 - 1)
    last = spectra["small[epoch=2]fc2[hessian]"]
    assert last.n == 90 and (last.eigenvalues > 0).all() and last.m == len(last.eigenvalues) <= 81


def test_spectra_take_the_common_road(trained, digits, tmp_path):
    run(trained, digits, tmp_path, set={"title": "toy", "examples": 20, "gauss_newton": 12})
    files = {key: str(tmp_path / f"{key}.csv") for key in ("fits", "measures")}
    esd = str(tmp_path / "esd.safetensors")
    fit_power_law.main(OmegaConf.create({"esd": esd, "fits": files["fits"], "bootstrap": 0}))
    measure_layers.main(OmegaConf.create({"esd": esd, **files}))
    fit, row = (read_table(files[key]).iloc[0] for key in ("fits", "measures"))
    assert fit["layer"] == row["layer"] == "small[epoch=2]all[gauss_newton]"
    assert fit["status"] == "ok" and fit["alpha"] > 1 and row["lambda_max"] > 0


def test_the_same_again_and_nothing_that_is_not_asked_for(trained, digits, tmp_path):
    entry = {"title": "toy", "examples": 10_000}
    for folder in ("a", "b"):
        found = run(trained, digits, tmp_path / folder, set=entry)
    assert found["curvature"].empty and found["plane"].empty and found["ends"]["n_examples"].tolist() == [179]
    assert (tmp_path / "a" / "ends.csv").read_bytes() == (tmp_path / "b" / "ends.csv").read_bytes()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"set": {"title": "toy", "highest": 0}}, "highest: 0 is less than 1"),
        ({"set": {"title": "toy", "scales": [0.0]}}, "steps must be positive"),
        ({"set": {"title": "toy", "plane": {"networks": ["other"]}}}, "'other' is not among"),
        ({"set": {"title": "toy", "states": "all"}, "states": []}, "needs the files `states`"),
        ({"names": ["small", "more"]}, "2 names, but 1 weights"),
        ({"trace_probes": 1}, "trace_probes: 1 is less than 2"),
    ],
)
def test_settings_that_make_no_sense(trained, digits, tmp_path, settings, says):
    with pytest.raises(SystemExit, match=says):
        run(trained, digits, tmp_path, **settings)
