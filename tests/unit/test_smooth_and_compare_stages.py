"""The stages measure_vectors, smooth_model and compare_models on files, as the workflow calls them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from htsr.figures import style
from htsr.files import Arrays, read_table, write_table
from htsr.models.assemble import assemble
from htsr.models.layers import matrices
from htsr.models.weights import write_weights
from htsr.spectra import reconstruct
from htsr.stages import (
    compare_models,
    compute_esd,
    extract_layers,
    fit_power_law,
    measure_layers,
    measure_vectors,
    plot_localization,
    smooth_model,
)
from htsr.tables.comparisons import comparisons
from htsr.tables.smoothing import smoothing

RANK = 3


def run(stage, **settings):
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
    stage.main(OmegaConf.create(plain))


def weights(seed=0):
    """A network with a planted signal of rank 3 in its dense layer, and Gaussian noise elsewhere."""
    rng = np.random.default_rng(seed)
    dense = rng.standard_normal((40, 30)) + 20 * rng.standard_normal((40, RANK)) @ rng.standard_normal((RANK, 30)) / 6
    arrays = {
        "conv.weight": rng.standard_normal((16, 12, 3, 2)),
        "up.weight": rng.standard_normal((14, 12, 2, 2)),
        "fc.weight": dense,
        "fc.bias": rng.standard_normal(40),
    }
    return {key: torch.from_numpy(value).float() for key, value in arrays.items()}


def road(folder, name, convolution="slices", seed=0):
    """Weights to measures, each under its stage's name."""
    at = {key: folder / f"{name}.{key}" for key in ("weights", "layers", "listing", "esd", "fits", "measures")}
    layers = {"up.weight": {"kind": "conv_transpose2d", "groups": 1, "transposed": True}}
    write_weights(at["weights"], weights(seed), {"model": name, "origin": "made", "layers": layers, "tied": {}})
    extracted = {"layers": at["layers"], "listing": at["listing"], "convolution": convolution, "min_size": 10}
    run(extract_layers, weights=at["weights"], **extracted)
    run(compute_esd, layers=at["layers"], esd=at["esd"], permutations=0)
    run(fit_power_law, esd=at["esd"], fits=at["fits"], bootstrap=0)
    run(measure_layers, esd=at["esd"], fits=at["fits"], measures=at["measures"])
    return at


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return road(folder, "net"), road(folder, "other", seed=1)


def smooth(at, folder, **settings):
    out = {key: folder / f"smooth.{key}" for key in ("smoothed", "listing", "summary")}
    inputs = {key: at[key] for key in ("weights", "measures", "fits")}
    run(smooth_model, **({"name": "smooth", "min_size": 10} | inputs | out | settings))
    return Arrays(out["smoothed"]), read_table(out["listing"]), read_table(out["summary"]).iloc[0]


@pytest.mark.parametrize("convolution", ["slices", "pooled", "unfolded"])
def test_assemble_is_the_inverse_of_the_matrices(convolution):
    state = weights() | {"grouped.weight": torch.arange(4 * 10 * 11 * 3.0).reshape(40, 11, 3)}
    known = {"up.weight": {"kind": "conv_transpose2d", "transposed": True}, "grouped.weight": {"groups": 4}}
    found = list(matrices(state, convolution, 1, known)[0])
    for key in ("conv", "up", "fc", "grouped"):
        own = [(w, info) for _, w, info in found if info["layer"] == key]
        info = own[0][1]
        unfolded = convolution == "unfolded" and bool(info["kernel"])
        back = assemble([w for w, _ in own], info["shape"], info["kernel"], unfolded, key == "up")
        np.testing.assert_array_equal(back, state[f"{key}.weight"].numpy())


@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
def test_rebuild_is_the_truncated_svd(shape):
    w = np.random.default_rng(1).standard_normal(shape)
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    parts = reconstruct.decompose(w)
    for count in (0, 1, 7, 15, 20, 25):
        factors = reconstruct.largest(20, count)
        low = (u[:, :count] * s[:count]) @ vt[:count]
        np.testing.assert_allclose(reconstruct.rebuild(parts, factors), low, atol=1e-12)
        np.testing.assert_allclose(reconstruct.rebuild(parts, 1 - factors), w - low, atol=1e-12)
    np.testing.assert_array_equal(reconstruct.rebuild(parts, np.ones(20)), w)
    halved = reconstruct.shrunk(parts.squares, np.sqrt(parts.squares) / 2)
    np.testing.assert_allclose(reconstruct.rebuild(parts, halved), w / 2, atol=1e-12)
    assert reconstruct.shrunk(np.array([0.0, 4.0]), np.array([0.0, 1.0])).tolist() == [0, 0.5]


def test_rank_of():
    assert [reconstruct.rank_of(rank, 20) for rank in (1, 7, 50, 0.5, 0.01)] == [1, 7, 20, 10, 1]


def test_edge_keeps_the_planted_signal_and_touches_nothing_else(made, tmp_path):
    before = Arrays(made[0]["weights"])
    content = made[0]["weights"].read_bytes()
    after, listing, summary = smooth(made[0], tmp_path, method="edge")
    rows = listing.set_index("layer")
    assert (rows.loc["fc", "kept_rank"], rows.loc["fc", "status"]) == (RANK, "ok")
    u, s, vt = np.linalg.svd(np.asarray(before["fc.weight"], float))
    np.testing.assert_allclose(after["fc.weight"], (u[:, :3] * s[:3]) @ vt[:3], atol=1e-5)
    assert rows.loc["fc", "kept_energy"] == pytest.approx((s[:3] ** 2).sum() / (s**2).sum())
    np.testing.assert_allclose(rows.loc["fc", ["kept_min", "kept_max"]].astype(float), s[[2, 0]] ** 2 / 40, rtol=1e-6)
    logs = 2 * np.log(s[::-1])
    thirds = np.repeat(logs[-3:], 10)
    assert rows.loc["fc", "log_wasserstein"] == pytest.approx(np.abs(thirds - logs).mean())
    unchanged = listing[listing["status"] != "ok"]
    assert (
        set(unchanged["status"]) == {"unchanged: nothing beyond the edge"} and len(unchanged) == summary["n_unchanged"]
    )
    for key in ("conv.weight", "up.weight", "fc.bias"):
        assert after[key].tobytes() == before[key].tobytes()
    assert made[0]["weights"].read_bytes() == content
    assert list(after) == list(before)
    assert summary["n_parameters"] - summary["kept_parameters"] == 40 * 30 - 3 * 70
    header = after.header
    assert header["model"] == "smooth" and header["source"] == "smoothed" and header["accuracy"] is None
    assert header["smoothing"]["of"] == "net" and len(header["smoothing"]["sha256"]) == 64
    (tmp_path / "inverted").mkdir()
    rest, _, _ = smooth(made[0], tmp_path / "inverted", method="edge", invert=True)
    np.testing.assert_allclose(rest["fc.weight"] + after["fc.weight"], before["fc.weight"], atol=1e-5)


@pytest.mark.parametrize("convolution", ["slices", "pooled", "unfolded"])
@pytest.mark.parametrize("method", ["rank", "erg", "power_law", "shrinkage"])
def test_every_method_runs_on_every_convolution(tmp_path, convolution, method):
    at = road(tmp_path, "net", convolution)
    after, listing, summary = smooth(at, tmp_path, method=method, convolution=convolution, rank=0.5)
    assert 0 < summary["kept_energy"] <= 1
    ok = listing[listing["status"] == "ok"]
    assert "fc" in set(ok["layer"]) and (ok["kept_rank"] <= ok["matrix_rank"]).all()
    again, _ = matrices(dict(after), convolution, 10, after.header["layers"])
    ranks = {name: np.linalg.matrix_rank(w, tol=1e-4 * np.linalg.norm(w)) for name, w, _ in again}
    for row in ok.to_dict("records"):
        assert ranks[row["layer"]] == row["kept_rank"]
    if method == "rank":
        assert (ok["kept_rank"] == np.round(ok["m"] / 2)).all() and len(ok) == len(listing)
    if method == "shrinkage":
        signal = weights()["fc.weight"].numpy()
        assert np.linalg.norm(after["fc.weight"]) < np.linalg.norm(signal)


def test_layers_are_chosen_and_bad_settings_named(made, digits, tmp_path):
    _, listing, _ = smooth(made[0], tmp_path, method="rank", layers=["c.*"])
    assert set(listing["weight_layer"]) == {"conv"}
    for settings, message in (
        ({"layers": ["none"]}, "no matrix"),
        ({"layers": ["("]}, "no regular expression"),
        ({"rank": 1.5}, "whole number"),
        ({"measures": made[0]["fits"], "convolution": "unfolded"}, "same convolution"),
        ({"network": {"name": "mlp", "width": 4, "depth": 2}, "images": digits}, "no weights of"),
        ({"network": {"name": "mlp", "width": 4, "depth": 2}}, "`images` names no file"),
    ):
        with pytest.raises(SystemExit, match=message):
            smooth(made[0], tmp_path, **({"method": "rank"} | settings))


def test_accuracies_of_a_trained_network(digits, tmp_path):
    from htsr.datasets.load import load
    from htsr.networks.build import build

    data = load(digits)
    network = build("mlp", 12, 2, data.shape, data.classes, torch.Generator().manual_seed(0))
    at = road(tmp_path, "net")
    write_weights(at["weights"], network.state_dict(), {"model": "net", "layers": {}, "tied": {}})
    names = ("layers", "listing", "esd", "fits", "measures")
    run(extract_layers, weights=at["weights"], layers=at["layers"], listing=at["listing"], min_size=10)
    run(compute_esd, layers=at["layers"], esd=at["esd"], permutations=0)
    run(fit_power_law, esd=at["esd"], fits=at["fits"], bootstrap=0)
    run(measure_layers, esd=at["esd"], fits=at["fits"], measures=at["measures"])
    assert all(at[name].exists() for name in names)
    settings = {"network": {"name": "mlp", "width": 12, "depth": 2}, "method": "rank", "images": digits}
    _, _, whole = smooth(at, tmp_path, rank=12, **settings)
    assert whole["accuracy_after"] == whole["accuracy_before"] and whole["accuracy_change"] == 0
    after, _, cut = smooth(at, tmp_path, rank=1, **settings)
    share = cut["accuracy_after"] / 100
    assert cut["accuracy_after_stderr"] == pytest.approx(100 * (share * (1 - share) / cut["n_test"]) ** 0.5, rel=0.02)
    assert cut["accuracy_change_stderr"] > whole["accuracy_change_stderr"] > 0
    assert after.header["accuracy"] == cut["accuracy_after"] and cut["n_test"] == 898
    text = smoothing(read_table(tmp_path / "smooth.summary"), {"net": "A & B"})
    assert r"A \& B" in text and "largest 1" in text and "nan" not in text


def test_measure_vectors_and_its_figure(made, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "save", lambda figure, drawn, pdf, png, csv: write_table(csv, drawn))
    files = {"table": tmp_path / "table.csv", "vectors": tmp_path / "vectors.safetensors"}
    run(measure_vectors, layers=made[0]["layers"], measures=made[0]["measures"], **files)
    table, arrays = read_table(files["table"]).set_index("layer"), Arrays(files["vectors"])
    assert list(table.columns) == list(measure_vectors.COLUMNS[1:])
    row = table.loc["fc"]
    assert (row["n_spikes"], row["n_bulk"], row["status"]) == (RANK, 27, "ok")
    w = np.asarray(weights()["fc.weight"], float)
    _, s, vt = np.linalg.svd(w)
    assert row["localization_right_spikes"] == pytest.approx(
        np.mean([np.abs(v).sum() / np.abs(v).max() for v in vt[:3]])
    )
    detail = arrays["fc"]
    assert arrays.header["columns"] == list(measure_vectors.DETAIL)
    np.testing.assert_allclose(detail[:, 0], s[::-1] ** 2 / 40, rtol=1e-6)
    assert detail[:, 1].tolist() == [0] * 27 + [1] * 3
    assert 0 < row["porter_thomas_p_left"] < 1 and table.loc["conv[0,0]", "status"] == "ok"
    out = {kind: tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    shown = {"names": ["net"], "vectors": [str(files["vectors"])], "shown": [str(files["table"])]}
    run(plot_localization, tables=[str(files["table"])], normalization="one_over_n", **shown, **out)
    drawn = read_table(out["csv"])
    assert set(drawn.loc[drawn["part"] == "vectors", "layer"]) == {"fc"}
    bulk = drawn[(drawn["part"] == "vectors") & (drawn["group"] == "bulk") & (drawn["measure"] == "entropy")]
    assert len(bulk) == 2 * 27
    with pytest.raises(SystemExit, match="same weights"):
        other = tmp_path / "other.csv"
        read_table(made[0]["measures"]).iloc[1:].to_csv(other, index=False)
        run(measure_vectors, layers=made[0]["layers"], measures=other, **files)


def test_compare_models(made, tmp_path):
    def table(first, second, **settings):
        run(compare_models, first=first, second=second, comparison=tmp_path / "c.csv", permutations=19, **settings)
        return read_table(tmp_path / "c.csv")

    same = table(made[0]["layers"], made[0]["layers"]).set_index("layer")
    assert same["status"].eq("ok").all() and same.loc["fc", "subspace"] == RANK
    expected = {"log_wasserstein": 0, "relative_distance": 0, "cosine": 1, "overlap_left": 1, "cka": 1, "svcca": 1}
    for name, value in expected.items():
        assert same.loc["fc", name] == pytest.approx(value, abs=1e-9)
    assert same.loc["fc", "cka_p"] == 1 / 20 and np.isnan(same.loc["fc", "cca"]), "40 features of 30 inputs"
    other = table(made[0]["layers"], made[1]["layers"], subspace=2).set_index("layer")
    assert (other["subspace"] == 2).all() and (other["overlap_right_p"] > 1e-4).all()
    assert np.abs(other["cosine_z"]).max() < 4.5 and (other["relative_distance"] > 1).all()
    text = comparisons(other.reset_index(), {})
    assert "net and other" in text and "nan" not in text
    unlike = tmp_path / "unlike"
    write_weights(unlike, {"fc.weight": torch.ones(20, 30), "more.weight": torch.ones(15, 15)}, {"model": "unlike"})
    run(extract_layers, weights=unlike, layers=tmp_path / "l", listing=tmp_path / "li", min_size=10)
    rows = table(made[0]["layers"], tmp_path / "l").set_index("layer")["status"]
    assert rows["fc"] == "shapes (40, 30) and (20, 30)" and rows["more"] == "only in the second model"
    assert rows["conv[0,0]"] == "only in the first model"
