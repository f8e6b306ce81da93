"""The stage regress_accuracy on files, as a user runs it on a table of his own."""

import os
import subprocess
import sys

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.files import read_table
from htsr.stages.regress_accuracy import main
from htsr.statistics.regression import COLUMNS

TABLE = """series,model,error,alpha,depth,log_norm,n_matrices,title
a,m1,8.27,1.127,20,1.1,3,one
a,m2,7.37,0.535,32,1.2,3,two
a,m3,6.90,,44,1.3,3,three
b,m1,6.61,-0.143,20,1.4,3,four
b,m2,5.00,-0.2,32,1.1,3,five
b,m3,5.50,-0.3,44,1.2,3,six
"""


def test_a_table_of_ones_own_by_the_documented_command(tmp_path):
    (tmp_path / "my_table.csv").write_text(TABLE)
    command = [sys.executable, "-m", "htsr.stages.regress_accuracy", "metrics=[my_table.csv]", "regressions=out.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "6 models of 2 series, metrics ['alpha', 'depth', 'log_norm']" in done.stderr
    table = read_table(tmp_path / "out.csv")
    assert tuple(table) == COLUMNS and len(table) == 3 * 3 * 2
    assert table["series"].unique().tolist() == ["a", "b", "pooled"]
    alpha = table[(table["metric"] == "alpha") & (table["target"] == "error")].set_index("series")
    assert alpha["n"].tolist() == [2, 3, 5] and np.isnan(alpha.loc["a", "slope"])
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["my_table.csv", "out.csv"]


def test_two_runs_write_the_same_bytes_and_the_seed_changes_intervals_only(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    job = {"metrics": [str(tmp_path / "t.csv")], "level": 0.9}
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        main(OmegaConf.create({**job, "resamples": 50, "seed": seed, "regressions": str(tmp_path / f"{name}.csv")}))
    one, two, other = ((tmp_path / f"{name}.csv").read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    first, second = (read_table(tmp_path / f"{name}.csv") for name in ("one", "other"))
    assert first["r2"].equals(second["r2"]) and not first["slope_low"].equals(second["slope_low"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("error", "mistakes"), "no column error (or accuracy)"),
        (TABLE.replace("1.127", "high"), "column 'alpha', model 'm1': 'high' is not a number"),
        (TABLE.replace("b,", "a,"), "model 'm1' of series 'a' stands there twice"),
        ("", "not a readable CSV table"),
    ],
)
def test_a_bad_table_ends_with_one_message_and_writes_nothing(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    job = {"metrics": [str(tmp_path / "t.csv")], "regressions": str(tmp_path / "out.csv")}
    with pytest.raises(SystemExit) as stop:
        main(OmegaConf.create(job))
    assert message in stop.value.code and "t.csv" in stop.value.code and "\n" not in stop.value.code
    assert not (tmp_path / "out.csv").exists()
