import numpy as np
import pandas as pd
import pytest

from htsr.errors import InputError
from htsr.metrics.averages import average_layers, depth, join_layers
from htsr.metrics.columns import AVERAGED


def tables():
    fits = pd.DataFrame(
        {
            "layer": ["a[0,1]", "a[2,0,1]", "b.c[q]", "d"],
            "alpha": [2.0, 4.0, np.nan, 3.0],
            "alpha_hill": [1.0, 2.0, np.nan, 9.0],
            "ks_distance": [0.1, 0.3, np.nan, 9.0],
            "status": ["ok", "ok", "too few eigenvalues", "ok"],
        }
    )
    measures = pd.DataFrame({"layer": fits["layer"], "n": 5, "log_norm": [1.0, 5.0, 9.0, np.nan]})
    for name in AVERAGED:
        if name not in fits and name not in measures:
            measures[name] = [1.0, np.nan, 9.0, np.nan]
    return fits, measures.assign(status=["ok", "ok", "ok", "all eigenvalues are zero"])


def test_means_over_spectra_with_status_ok():
    row = average_layers(join_layers(*tables()))
    assert (row["n_matrices"], row["n_failed"]) == (2, 2)
    assert (row["alpha"], row["log_norm"]) == (3, 3)
    assert row["alpha_stderr"] == pytest.approx(1)  # s = √2, n = 2
    assert row["log_norm_stderr"] == pytest.approx(2)
    assert row["entropy"] == 1
    assert np.isnan(row["entropy_stderr"])


def test_joined_layers():
    joined = join_layers(*tables())
    assert joined["weight_layer"].tolist() == ["a", "a", "b.c", "d"]
    assert joined["status"].tolist() == ["ok", "ok", "too few eigenvalues", "all eigenvalues are zero"]
    assert joined.columns.is_unique
    with pytest.raises(InputError, match="other layers"):
        join_layers(tables()[0], tables()[1].iloc[1:])


def test_no_usable_spectrum_gives_empty_means():
    fits, measures = tables()
    row = average_layers(join_layers(fits.assign(status="bad"), measures))
    assert (row.pop("n_matrices"), row.pop("n_failed")) == (0, 4)
    assert len(row) == 2 * len(AVERAGED)
    assert all(np.isnan(value) for value in row.values())


def test_depth_counts_weights_once_and_no_embeddings():
    kinds = ["conv2d", "linear", "embedding", "hf_conv1d", "unknown", "linear"]
    status = ["ok", "3 x 9: smaller side under 50", "ok", "ok", "no rule", "the same weight as a.weight"]
    assert depth(pd.DataFrame({"kind": kinds, "status": status})) == 3
