"""Outputs come whole or not at all."""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from htsr.errors import InputError
from htsr.files import Arrays, read_table, whole, write_arrays, write_table


def test_arrays_round_trip_and_agree_with_the_safetensors_package(tmp_path):
    path = tmp_path / "a.safetensors"
    arrays = {"x": np.arange(6.0).reshape(2, 3), "w[0,1]": np.ones((3, 2), np.float32), "none": np.empty((0,))}
    write_arrays(path, arrays.items(), {"model": "m", "list": [1, None]})
    read = Arrays(path)
    assert read.header == {"model": "m", "list": [1, None]}
    theirs = load_file(path)
    for name, array in arrays.items():
        assert np.array_equal(read[name], array) and np.array_equal(theirs[name], array)
        assert read[name].dtype == array.dtype


def test_arrays_reads_what_the_safetensors_package_writes(tmp_path):
    save_file({"x": np.arange(4, dtype=np.float32)}, tmp_path / "b.safetensors", metadata={"model": '"m"'})
    read = Arrays(tmp_path / "b.safetensors")
    assert read.header == {"model": "m"} and read["x"].tolist() == [0, 1, 2, 3]


def test_header_may_be_filled_while_arrays_are_made(tmp_path):
    header = {}

    def generate():
        for i in range(2):
            header[f"seen{i}"] = True
            yield str(i), np.zeros(1)

    write_arrays(tmp_path / "c.safetensors", generate(), header)
    assert Arrays(tmp_path / "c.safetensors").header == {"seen0": True, "seen1": True}


@pytest.mark.parametrize("cut", [0, 4, 30, -3])
def test_a_truncated_file_is_named(tmp_path, cut):
    path = tmp_path / "d.safetensors"
    write_arrays(path, [("x", np.arange(9.0))], {})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"d\.safetensors"):
        Arrays(path)


def test_a_failed_write_keeps_what_was_there(tmp_path):
    path = tmp_path / "e.csv"
    write_table(path, [{"a": 0.1}])
    with pytest.raises(RuntimeError), whole(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert read_table(path)["a"].tolist() == [0.1]
    assert [p.name for p in tmp_path.iterdir()] == ["e.csv"]


def test_two_arrays_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="'x'"):
        write_arrays(tmp_path / "f.safetensors", [("x", np.zeros(1)), ("x", np.zeros(1))], {})
    assert not list(tmp_path.iterdir())


def test_kill_leaves_no_half_written_file_and_the_next_run_cleans_up(tmp_path):
    path = tmp_path / "g.csv"
    program = (
        "import os, signal; from htsr.files import whole\n"
        f"with whole({str(path)!r}) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert not path.exists() and len(list(tmp_path.iterdir())) == 1
    write_table(path, [{"a": 1}])
    assert [p.name for p in tmp_path.iterdir()] == ["g.csv"]


def test_a_full_disk_is_one_message(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk]).returncode:
        pytest.skip("a small tmpfs can be mounted by root only")
    try:
        write_table(disk / "h.csv", [{"a": 1}])
        with pytest.raises(InputError, match=r"h\.csv: could not be written: No space left"):
            write_table(disk / "h.csv", [{"a": i} for i in range(100_000)])
        with pytest.raises(InputError, match=r"i\.safetensors: could not be written: No space left"):
            write_arrays(disk / "i.safetensors", [("x", np.zeros(100_000))], {})
        assert read_table(disk / "h.csv")["a"].tolist() == [1]
        assert [p.name for p in disk.iterdir()] == ["h.csv"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_tables_keep_floats_and_leave_missing_values_empty(tmp_path):
    value = 0.1 + 0.2
    write_table(tmp_path / "j.csv", [{"a": value, "b": None}])
    assert (tmp_path / "j.csv").read_text() == f"a,b\n{value!r},\n"
    assert read_table(tmp_path / "j.csv")["a"][0] == value
    with pytest.raises(InputError, match=r"missing\.csv"):
        read_table(tmp_path / "missing.csv")
