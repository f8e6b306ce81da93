"""The export of surfaces: the page holds the numbers of the table and nothing from elsewhere; the files are VTK's."""

import base64
import json
import math
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from htsr.errors import InputError
from htsr.figures.surface_page import pair, render
from htsr.files import read_table
from htsr.landscape.convexity import summarize
from htsr.landscape.export import described, height_range, heights, planes, value_at
from htsr.landscape.grid import explore, lattice
from htsr.landscape.vtk import HIDDEN_CELL, files
from htsr.stages import export_surfaces

NASTY = "</script><b>ü&"
TRAIN = ["train_loss", "train_stderr", "train_accuracy"]
TEST = ["test_loss", "test_stderr", "test_accuracy"]


def surface(name, network, points=(5, 5), refine=0, seed=0, train=128, test=0, low=-1.0, high=1.0, scale=1.0, **about):
    """Rows of evaluate_surface: a bowl, bent at one side, infinite at its corner (1, 1) and undefined at (-1, 1)."""
    known = {"surface": name, "network": network, "other": None, "third": None, "plane": "random"}
    known |= {"dimensions": len(points), "normalization": "filter", "batch_norm": "frozen", "seed": seed} | about
    known |= {"length_a": 10.5, "length_b": 11.25, "train_examples": train, "test_examples": test}

    def measure(a, b):
        loss = scale * (0.1 + a * a + 2 * b * b + 30 * max(0.0, -a - 0.5))
        loss = math.inf if (a, b) == (1, 1) else math.nan if (a, b) == (-1, 1) else loss
        own = {"loss": loss, "stderr": loss / 10 if math.isfinite(loss) else math.nan, "accuracy": 90 - 10 * abs(a)}
        row = dict.fromkeys([*TRAIN, *TEST], math.nan)
        row |= {f"train_{key}": value for key, value in own.items()} if train else {}
        return row | ({f"test_{key}": value + 0.25 for key, value in own.items()} if test else {})

    axes = lattice(points, low, high, refine)
    return [known | row for row in explore(axes, refine, measure, "train_loss" if train else "test_loss", share=0.2)]


def place(name, network, checkpoint, epoch, a, b):
    return {"surface": name, "network": network, "checkpoint": checkpoint, "epoch": epoch, "a": a, "b": b}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The files of collect_surfaces, and what they hold as read."""
    rows = [
        *surface("depth", "net_with_8_s0", refine=1, test=64),
        *surface("depth", "net_with_20_s0"),
        *surface("depth", "net_without_8_s0", scale=3.0),
        *surface("depth", "net_without_8_s0", seed=1),
        *surface("lines", "net_with_8_s0", points=(5,)),
        *surface("three", NASTY, other="second", third="x", plane="through", normalization=None, train=0, test=64),
        *surface(
            "training", "net_with_8_s0", points=(5, 3), plane="pca", normalization=None, batch_norm="recalibrated"
        ),
    ]
    places = [
        place("depth", "net_with_8_s0", "net_with_8_s0", None, 0.0, 0.0),
        place("three", NASTY, NASTY, None, 0.0, 0.0),
        place("three", NASTY, "second", None, 1.0, 0.0),
        place("three", NASTY, "x", None, 0.5, 1.25),
        *(place("training", "net_with_8_s0", "net_with_8_s0", t, t / 4 - 1, -0.25 * (t % 2)) for t in (4, 2, 1, 0)),
        place("training", "net_with_8_s0", "net_with_8_s0", 3, -0.75, 0.5),  # in a hole,
    ]
    folder = tmp_path_factory.mktemp("tables")
    found = {"points": pd.DataFrame(rows), "places": pd.DataFrame(places), "summary": pd.DataFrame(summarize(rows))}
    for name, table in found.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder, {name: read_table(folder / f"{name}.csv") for name in found}


@pytest.fixture(scope="module")
def surfaces(tables):
    return planes(*tables[1].values())


@pytest.fixture(scope="module")
def exported(tables, tmp_path_factory):
    """The page and the archive, made twice."""
    made = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("out")
        paths = {"html": str(folder / "surfaces.html"), "vtk": str(folder / "surfaces.zip")}
        given = {name: str(tables[0] / f"{name}.csv") for name in tables[1]}
        export_surfaces.main(OmegaConf.create(given | paths | {"sets": {"depth": "Planes & more"}, "title": "A <b>"}))
        made.append(paths)
    return made


def content(path):
    return Path(path).read_bytes()


class Page(HTMLParser):
    """Everything that a page refers to, its scripts with their types, and its headings."""

    def __init__(self, text):
        super().__init__()
        self.references, self.scripts, self.titles, self.inside = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.references += [value for key, value in attributes if key in ("src", "href", "action", "srcset", "data")]
        self.inside = tag
        if tag == "script":
            self.scripts.append([dict(attributes).get("type"), ""])

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1][1] += data
        elif self.inside == "h1":
            self.titles.append(data)


def embedded(text):
    page = Page(text)
    assert [kind for kind, _ in page.scripts] == ["application/json", None]
    return json.loads(page.scripts[0][1])


def test_the_same_tables_give_the_same_bytes(exported):
    for name in ("html", "vtk"):
        assert content(exported[0][name]) == content(exported[1][name])


def test_the_page_needs_nothing_else(exported):
    text = content(exported[0]["html"]).decode()
    page = Page(text)
    assert page.references == ["data:,"]
    assert page.titles == ["A <b>"]
    assert "http:" not in text and "https:" not in text and "import(" not in text and "@DATA@" not in text
    assert "default-src 'none'" in text


def test_the_page_holds_the_numbers_of_the_table(exported, tables, surfaces):
    points = tables[1]["points"]
    points = points[points["dimensions"] == 2]
    data = embedded(content(exported[0]["html"]).decode())
    groups = list(points.groupby(["surface", "network", "seed"], sort=False))
    assert len(data["surfaces"]) == len(groups) == len(surfaces) == 6
    for (_, rows), shown in zip(groups, data["surfaces"], strict=True):
        q, seen = len(shown["b"]), shown["measured"] or "1" * len(shown["a"]) * len(shown["b"])
        assert seen.count("1") == len(rows)
        for split in ("train", "test"):
            assert (split in shown) == (rows[f"{split}_examples"].iloc[0] > 0) == (split in shown["examples"])
        for row in rows.to_dict("records"):
            at = [int(np.argmin(np.abs(np.array(shown[axis]) - row[axis]))) for axis in ("a", "b")]
            k = at[0] * q + at[1]
            assert seen[k] == "1" and (shown["a"][at[0]], shown["b"][at[1]]) == (row["a"], row["b"])
            for split in shown["examples"]:
                for name in ("loss", "stderr", "accuracy"):
                    value = shown[split][name][k]
                    value = math.nan if value is None else float(value)
                    np.testing.assert_allclose(value, row[f"{split}_{name}"], rtol=1e-6, equal_nan=True)
    first = data["surfaces"][0]
    assert first["group"] == "Planes & more: depth" and first["name"] == "net_with_8_s0, direction seed 0"
    assert len(first["a"]) == 9 and 25 < first["measured"].count("1") < 81
    assert first["train"]["loss"][-1] == "inf" and "of them measured" in first["description"]
    assert [mark["epoch"] for mark in data["surfaces"][5]["places"]] == [0, 1, 2, 3, 4]
    assert data["surfaces"][4]["name"] == NASTY
    assert [mark["name"] for mark in data["surfaces"][4]["places"]] == [NASTY, "second", "x"]
    summary = tables[1]["summary"].set_index(["surface", "network"])
    for shown, own in zip(data["surfaces"], surfaces, strict=True):
        row = summary.loc[own.about["surface"], own.about["network"]]
        assert shown["measures"]["loss_center"] == pytest.approx(row["loss_center"], rel=1e-6)
        assert shown["seeds"] == row["n_seeds"] and shown["split"] == row["split"]


def test_the_page_opens_with_and_without(surfaces, exported):
    assert pair(surfaces) == [0, 2] == embedded(content(exported[0]["html"]).decode())["pair"]
    assert pair(surfaces[:1]) == [0] and pair([]) == []


def test_the_page_is_small(tables):
    rows = [row for i in range(30) for row in surface("depth", f"net_{i}", points=(13, 13), scale=1 + i / 7)]
    found = planes(pd.DataFrame(rows), tables[1]["places"], tables[1]["summary"])
    assert len(found) == 30 and len(render(found, {}, {}, "Surfaces").encode()) < 1e6


def test_the_program_of_the_page_is_javascript(exported, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    script = tmp_path / "page.js"
    script.write_text(Page(content(exported[0]["html"]).decode()).scripts[1][1])
    subprocess.run([node, "--check", str(script)], check=True, capture_output=True)


def test_descriptions_state_the_conventions(surfaces):
    random, three, training = (described(surfaces[i], {"second": "Second"}) for i in (0, 4, 5))
    assert "filter-normalized" in random and "seed 0" in random and "10.5 and 11.25" in random and "frozen" in random
    assert "Second at (1, 0) and x at (0.5, 1.25)" in three and "seed" not in three and "5 × 5 points" in three
    assert "principal components" in training and "recalibrated" in training and "5 × 3 points" in training


def test_networks_are_named_by_their_settings(surfaces):
    networks = pd.DataFrame(
        [
            {
                "series": "nets",
                "model": f"net_{shortcuts}_{depth}_s0",
                "shortcuts": shortcuts,
                "depth": depth,
                "seed": 0,
            }
            for shortcuts in ("with", "without")
            for depth in (8, 20)
        ]
    )
    titles = export_surfaces.names(surfaces, networks, {"nets": ["shortcuts", "depth"]})
    assert set(titles) == {"net_with_8_s0", "net_with_20_s0", "net_without_8_s0"} and len(set(titles.values())) == 3
    assert "with shortcuts" in titles["net_with_8_s0"]
    shown = embedded(render(surfaces, {}, titles, "Surfaces"))["surfaces"]
    assert shown[1]["name"] == f"{titles['net_with_20_s0']} (net_with_20_s0), direction seed 0"
    assert shown[5]["places"][0]["name"] == titles["net_with_8_s0"]


def test_points_must_be_there_once(tables):
    points, places, summary = tables[1].values()
    with pytest.raises(
        InputError, match="surface depth, network net_with_8_s0, seed 0: points of the grid are missing"
    ):
        planes(points.iloc[1:], places, summary)
    with pytest.raises(InputError, match="a point is there twice"):
        planes(pd.concat([points, points.iloc[:1]]), places, summary)


def test_an_experiment_without_planes_says_so(tables):
    points, places, summary = tables[1].values()
    none = planes(points[points["dimensions"] == 1], places, summary)
    assert none == [] and embedded(render(none, {}, {}, "Surfaces"))["surfaces"] == []
    assert sorted(files(none, {})) == ["README.txt", "surfaces.vtm"]


def test_values_between_points_are_bilinear(surfaces):
    own = surfaces[1]
    grid = np.add.outer(2 * own.a, 3 * own.b) + np.outer(own.a, own.b)
    for a, b in ((0.0, 0.0), (0.3, -0.8), (1.0, -1.0), (-0.75, 0.5)):
        assert value_at(own, grid, a, b) == pytest.approx(2 * a + 3 * b + a * b, abs=1e-12)
    assert math.isnan(value_at(own, grid, 1.01, 0.0))
    grid[-1, -1] = math.nan
    assert math.isnan(value_at(own, grid, 0.9, 0.9)) and math.isfinite(value_at(own, grid, 0.5, 1.0))


# ---- VTK


def arrays(element):
    """The arrays and texts below an element by name, of base64 after their number of bytes, or of codes."""
    found = {}
    for array in element.iter("DataArray"):
        raw = base64.b64decode(array.text)
        values = np.frombuffer(raw[8:], {"Float64": "<f8", "Int64": "<i8", "UInt8": "u1"}[array.get("type")])
        assert int.from_bytes(raw[:8], "little") == values.nbytes and array.get("format") == "binary"
        n = int(array.get("NumberOfComponents"))
        found[array.get("Name")] = values.reshape(-1, n) if n > 1 else values
    for array in element.iter("Array"):
        texts = bytes(map(int, (array.text or "").split())).split(b"\0")[:-1]
        assert len(texts) == int(array.get("NumberOfTuples"))
        found[array.get("Name")] = [text.decode() for text in texts]
    return found


@pytest.fixture(scope="module")
def archive(exported):
    """The files of the archive by name, without its folder; XML parsed."""
    with zipfile.ZipFile(exported[0]["vtk"]) as opened:
        assert opened.testzip() is None and {entry.date_time[0] for entry in opened.infolist()} == {1980}
        found = {name: opened.read(name) for name in opened.namelist()}
    assert all(name.startswith("loss_surfaces/") for name in found)
    found = {name.removeprefix("loss_surfaces/"): text for name, text in found.items()}
    return {name: text if name.endswith("txt") else ElementTree.fromstring(text) for name, text in found.items()}


def test_the_index_names_every_file(archive):
    named = [entry.get("file") for entry in archive["surfaces.vtm"].iter("DataSet")]
    assert sorted(named) == sorted(set(archive) - {"surfaces.vtm", "README.txt"}) and len(named) == 12
    assert [block.get("name") for block in archive["surfaces.vtm"].iter("Block")] == ["surfaces", "checkpoints"]


def test_grids_hold_the_surfaces(archive, surfaces):
    low, high = height_range(surfaces)
    names = sorted(name for name in archive if name.endswith(".vts"))
    for name, own in zip(names, surfaces, strict=True):
        root, p, q = archive[name], len(own.a), len(own.b)
        assert root.get("type") == "StructuredGrid" and root.get("byte_order") == "LittleEndian"
        assert root.find("StructuredGrid").get("WholeExtent") == f"0 {p - 1} 0 {q - 1} 0 0"
        found = arrays(root.find(".//PointData"))
        assert {*own.values, "measured", "height"} < set(found)
        for column, values in own.values.items():
            np.testing.assert_array_equal(found[column], values.T.ravel())  # a varies first
        loss = found[f"{own.splits[0]}_loss"]
        logs = found[f"log10_{own.splits[0]}_loss"]
        finite = np.isfinite(loss)
        np.testing.assert_allclose(logs[finite], np.log10(loss[finite]))
        assert np.isnan(logs[~finite]).all() and finite.sum() < len(finite)
        places = arrays(root.find(".//Points"))["Points"]
        np.testing.assert_array_equal(places[:, :2], [(a, b) for b in own.b for a in own.a])
        np.testing.assert_allclose(places[finite, 2], (logs[finite] - low) / (high - low))
        assert (places[~finite, 2] == 0).all() and places[:, 2].min() >= 0 and places[:, 2].max() <= 1
        hidden = arrays(root.find(".//CellData"))["vtkGhostType"].reshape(q - 1, p - 1) == HIDDEN_CELL
        expected = ~finite.reshape(q, p)
        expected = expected[1:, 1:] | expected[1:, :-1] | expected[:-1, 1:] | expected[:-1, :-1]
        np.testing.assert_array_equal(hidden, expected)
        told = arrays(root.find(".//FieldData"))
        assert told["network"] == [own.about["network"]] and told["batch_norm"] == [own.about["batch_norm"]]
        assert told["description"] == [described(own, {})]
    assert max(arrays(archive[name].find(".//Points"))["Points"][:, 2].max() for name in names) == 1


def test_marks_lie_on_the_surfaces(archive, surfaces):
    names = sorted(name for name in archive if name.endswith(".vtp"))
    own, root = surfaces[5], archive[names[5]]
    piece = root.find(".//Piece")
    seen = [mark for mark in own.places if mark["epoch"] != 3]  # the third lies in a hole
    assert (piece.get("NumberOfVerts"), piece.get("NumberOfLines")) == ("4", "2")
    epochs, places = arrays(root.find(".//PointData"))["epoch"], arrays(root.find(".//Points"))["Points"]
    assert len(epochs) == len(places) == int(piece.get("NumberOfPoints")) and epochs[:4].tolist() == [0, 1, 2, 4]
    assert [(a, b) for a, b, _ in places[:4]] == [(mark["a"], mark["b"]) for mark in seen]
    height = heights(own, *height_range(surfaces))
    for a, b, z in places:
        assert z == pytest.approx(value_at(own, height, a, b))
    found = arrays(root.find(".//Lines"))
    first, second = np.split(found["connectivity"], found["offsets"][:-1])
    assert first[0] == 4 and second[-1] == len(epochs) - 1 and found["offsets"][-1] == len(found["connectivity"])
    assert epochs[first].tolist() == [*np.arange(17) / 8] and epochs[second][-1] == 4 and epochs[second][0] > 3
    assert arrays(archive[names[4]].find(".//FieldData"))["checkpoint"] == [NASTY, "second"]  # x lies beyond the points
    assert archive[names[1]].find(".//Piece").get("NumberOfPoints") == "0"


def test_a_loss_of_zero_lies_on_the_floor(tables):
    rows = surface("depth", "net_with_8_s0")
    rows[12] = rows[12] | {"train_loss": 0.0}
    own = planes(pd.DataFrame(rows), tables[1]["places"], tables[1]["summary"])
    height = heights(own[0], *height_range(own))
    assert height[2, 2] == 0 and np.nanmax(height) == 1 and np.isnan(height).sum() == 2
