"""The stage compare_solutions on files, as the workflow calls it."""

import pytest
from omegaconf import OmegaConf

from htsr.files import read_table
from htsr.stages import compare_solutions, train_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("pair")
    for name, settings in {
        "a": {"seed": 0}, "b": {"seed": 1}, "wide": {"network": {"name": "mlp", "width": 24, "depth": 2}},
        "half": {"train_fraction": 0.5},
    }.items():  # fmt: skip
        given = {"name": name, "network": {"name": "mlp", "width": 16, "depth": 2}, "epochs": 3, "images": str(digits)}
        given |= {"weights": str(folder / f"{name}.safetensors"), "states": str(folder / f"{name}_states.safetensors")}
        train_model.main(OmegaConf.create(given | {"history": str(folder / f"{name}.csv")} | settings))
    return folder


def run(trained, digits, out, pairs, **settings):
    names = ["a", "b", "wide", "half"]
    given = {"name": "toy", "pairs": pairs, "names": names, "images": str(digits), "similarities": str(out / "s.csv")}
    given["weights"] = [str(trained / f"{name}.safetensors") for name in names]
    compare_solutions.main(OmegaConf.create(given | settings))
    return read_table(out / "s.csv").set_index("pair")


def test_pairs(trained, digits, tmp_path):
    pairs = {"same": ["a", "a"], "seeds": ["a", "b"], "widths": ["a", "wide"]}
    found = run(trained, digits, tmp_path, pairs, examples=300, resamples=30)
    assert (found["status"] == "ok").all() and (found["n_examples"] == 300).all()
    same, seeds, widths = (found.loc[name] for name in pairs)
    assert same["distance"] == 0 and same["cosine"] == pytest.approx(1) and same["agreement"] == 1
    assert same["cka_features"] == pytest.approx(1) and same["cka_logits"] == pytest.approx(1)
    assert abs(seeds["cosine"] - seeds["cosine_null"]) < 8 * seeds["cosine_null_std"] and seeds["cosine"] < 0.3
    assert seeds["agreement_low"] <= seeds["agreement"] <= seeds["agreement_high"] < 1
    assert 0 < seeds["cka_features"] < 1 and seeds["cka_features_stderr"] > 0
    assert widths["cka_features"] > 0 and str(widths["cosine"]) == "nan"


@pytest.mark.parametrize(
    ("pairs", "settings", "says"),
    [
        ({"p": ["a"]}, {}, "not two of the given"),
        ({"p": ["a", "c"]}, {}, "not two of the given"),
        ({"p": ["a", "half"]}, {"part": "train"}, "different images"),
        ({"p": ["a", "b"]}, {"examples": 4}, "8 or more"),
    ],
)
def test_settings_that_make_no_sense(trained, digits, tmp_path, pairs, settings, says):
    with pytest.raises(SystemExit, match=says):
        run(trained, digits, tmp_path, pairs, **settings)
