"""Figures of loss surfaces over planes: who stands where, what is drawn, losses that are not finite; their stages."""

import importlib

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from test_theory_figures import assert_whole

from htsr.errors import InputError
from htsr.figures import style, surface_3d, surface_contours, surface_planes, surfaces
from htsr.files import write_table
from htsr.landscape.convexity import summarize
from htsr.landscape.grid import explore, lattice

AXES = {"depths": ["shortcuts", "depth"], "widths": ["shortcuts", "width"], "labels": ["label_noise"]}
LIKE = {"batch_size": 32, "label_noise": 0.0, "weight_decay": 0.01, "learning_rate": 0.05, "width": 8, "depth": 20}


def sweep(name, over, seeds=(0,)):
    """Rows of a sweep's networks."""
    rows = [{}]
    for axis, values in over.items():
        rows = [row | {axis: value} for row in rows for value in values]
    return [
        {"series": name, "model": "_".join(map(str, (name, *row.values(), seed))), "title": "", "dataset": "digits"}
        | {"seed": seed, "error": 3.0 + i, "epochs_trained": 10, "status": "ok", **LIKE, **row}
        for i, row in enumerate(rows)
        for seed in seeds
    ]


def bowl(waves=0.0, scale=1.0):
    """A loss over the plane, the more concave the more waves."""
    return lambda a, b: scale * (0.1 + a * a + 2 * b * b + waves * np.sin(6 * a) ** 2)


def plane(surface, network, loss, n=7, refine=0, low=-1.0, high=1.0, **about):
    """Points of one plane as in the table of collect_surfaces."""
    known = {"surface": surface, "network": network, "other": None, "third": None, "plane": "random", "dimensions": 2}
    known |= {"normalization": "filter", "batch_norm": "frozen", "seed": 0, "length_a": 9.0, "length_b": 9.0}
    known |= {"train_examples": 128, "test_examples": 0} | about

    split = "train" if known["train_examples"] else "test"

    def measure(a, b):
        empty = {f"{s}_{x}": None for s in ("train", "test") for x in ("loss", "stderr", "accuracy")}
        return empty | {f"{split}_loss": loss(a, b), f"{split}_stderr": 0.01, f"{split}_accuracy": 90.0}

    found = explore(lattice([n, n], low, high, refine), refine, measure, f"{split}_loss", share=0.2)
    return [known | {"status": "ok"} | row for row in found]


class Made:
    """Tables of points, places, measures and networks."""

    def __init__(self):
        depths = sweep("depths", {"shortcuts": ["with", "without"], "depth": [8, 32, 20]})
        widths = sweep("widths", {"shortcuts": ["with", "without"], "width": [4, 16]})
        labels = sweep("labels", {"label_noise": [0.0, 1.0]}, seeds=(0, 1, 2))
        self.networks = pd.DataFrame(depths + widths + labels)
        rows = []
        for name, networks in (("depth", depths), ("width", widths), ("labels", labels[::3])):
            for row in networks:
                waves = (row.get("shortcuts") == "without") * row["depth"] / 20
                rows += plane(name, row["model"], bowl(waves, 10 ** (waves > 1)))
        for row in depths:
            if row["depth"] == 32:
                rows += plane("calm", row["model"], bowl(0.1), n=5, batch_norm="recalibrated")
        others = {"other": labels[1]["model"], "third": labels[2]["model"], "normalization": None, "plane": "through"}
        rows += plane("three", labels[0]["model"], bowl(), n=9, low=-0.5, high=1.5, test_examples=64, **others)
        self.summary = pd.DataFrame(summarize(rows))
        self.points = pd.DataFrame(rows)
        few = self.points["surface"].isin(["labels", "three"]) | self.points["network"].str.contains("_32_")
        self.few = self.points[few]
        at = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.8)]
        keys = {"surface": "three", "network": labels[0]["model"], "epoch": None}
        self.places = pd.DataFrame(
            [keys | {"checkpoint": labels[i]["model"], "a": a, "b": b} for i, (a, b) in enumerate(at)]
        )

    def changed(self, change):
        """A few surfaces, whose losses are change(row, loss)."""
        table = self.few.copy()
        table["train_loss"] = [change(row, row["train_loss"]) for row in table.to_dict("records")]
        return table

    def draw(self, module, points=None, networks=None, **options):
        given = [self.points if points is None else points, self.places, self.summary]
        if module is not surface_planes:
            del given[1]
        return module.draw(*given, self.networks if networks is None else networks, AXES, "digits", **options)


@pytest.fixture(scope="module")
def made():
    return Made()


FIGURES = (surface_contours, surface_planes, surface_3d)


@pytest.fixture(scope="module")
def figures(made):
    return {module: made.draw(module) for module in FIGURES}


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("module", FIGURES)
def test_figures_are_whole_and_say_what_they_show(made, figures, module, log):
    figure, drawn = figures[module] if log else made.draw(module, made.few, log=False)
    assert_whole(figure)
    assert len(drawn) and drawn["panel"].notna().all() and list(drawn) == surface_contours.DRAWN
    note = figure._supxlabel.get_text()
    assert "training images (digits)" in note and "filter scaled" in note and "Batch norm frozen" in note
    assert "Non-convex" in note and "Crosses" not in note and "nan" not in note
    assert ("estimated anew" in note) == (module is surface_planes)


@pytest.mark.parametrize("module", FIGURES)
def test_without_planes_figures_say_so(made, module):
    figure, drawn = made.draw(module, made.points[made.points["dimensions"] == 1])
    assert drawn.empty and not figure.axes and figure.texts


def test_contours_stand_by_settings_and_show_every_point(made, figures):
    _, drawn = figures[surface_contours]
    points = drawn[drawn["mark"].isna()]
    own = points[points["network"] == "depths_without_32_0"].set_index(["a", "b"])["loss"]
    listed = made.points[(made.points["surface"] == "depth") & (made.points["network"] == "depths_without_32_0")]
    np.testing.assert_allclose(own.to_numpy(), listed["train_loss"].to_numpy(float))
    order = list(dict.fromkeys(zip(drawn["block"], drawn["network"], strict=True)))
    assert [network for block, network in order if block == "depth"] == [
        f"depths_{shortcuts}_{depth}_0" for shortcuts in ("with", "without") for depth in (8, 20, 32)
    ]
    # The networks of the first block that are 20 deep and 8 wide stand between those 4 and 16 wide.
    assert [network for block, network in order if block == "width"] == [
        name
        for shortcuts in ("with", "without")
        for name in (f"widths_{shortcuts}_4_0", f"depths_{shortcuts}_20_0", f"widths_{shortcuts}_16_0")
    ]
    first = drawn.loc[drawn["network"] == "depths_without_20_0", "panel"].iloc[0]
    measured = made.summary.set_index(["surface", "network"]).loc[("depth", "depths_without_20_0")]
    assert (
        first == f"without shortcuts, depth 20, width 8, error 8.0 %, non-convex {100 * measured.share_negative:.0f} %"
    )
    assert set(drawn["surface"]) == {"depth", "width"}
    marked = drawn[drawn["mark"] == "centre"]
    assert len(marked) == 12 and not marked[["a", "b"]].to_numpy().any()


def test_a_grid_without_corners_is_drawn(made):
    rows = [{"shortcuts": s, "depth": d} for s, d in (("a", 20), ("b", 8), ("b", 32), ("c", 20))]
    networks = pd.DataFrame(
        [{"series": "depths", "model": str(i), "seed": 0, "error": 1.0, **LIKE, **row} for i, row in enumerate(rows)]
    )
    points = pd.DataFrame([row for i in range(4) for row in plane("depth", str(i), bowl())])
    for module in (surface_contours, surface_3d):
        figure, drawn = made.draw(module, points, networks)
        assert_whole(figure)
        assert drawn["network"].nunique() == 4


def test_networks_trained_otherwise_are_not_put_into_a_row(made):
    other = made.networks.assign(learning_rate=made.networks["learning_rate"].where(made.networks["depth"] != 20, 0.1))
    other.loc[other["series"] == "widths", "learning_rate"] = 0.05
    _, drawn = made.draw(surface_contours, networks=other)
    assert drawn.loc[drawn["block"] == "width", "network"].nunique() == 4


def test_planes_show_both_policies_the_other_surfaces_and_places(figures):
    figure, drawn = figures[surface_planes]
    pairs = drawn[drawn["network"].str.contains("_32_")]
    assert list(dict.fromkeys(zip(pairs["network"], pairs["batch_norm"], strict=True))) == [
        (f"depths_{shortcuts}_32_0", policy)
        for shortcuts in ("with", "without")
        for policy in ("frozen", "recalibrated")
    ]
    assert pairs["block"].nunique() == 1 and set(drawn["block"]) == {"depth", "labels", "three"}
    assert {"true labels, error 3.0 %, non-convex 0 %", "100 % random labels, error 4.0 %, non-convex 0 %"} <= set(
        drawn["panel"]
    )
    marks = drawn[(drawn["block"] == "three") & drawn["mark"].notna()]
    assert marks[["mark", "a", "b"]].values.tolist() == [["seed 0", 0, 0], ["seed 1", 1, 0], ["seed 2", 0.5, 0.8]]
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert texts == ["seed 0", "seed 1", "seed 2"]


def test_surfaces_in_space_are_the_corners_of_the_grid(made, figures):
    figure, drawn = figures[surface_3d]
    shown = list(dict.fromkeys(drawn["network"]))
    assert shown == [f"depths_{shortcuts}_{depth}_0" for shortcuts in ("with", "without") for depth in (8, 32)]
    assert len({axis.get_zlim() for axis in figure.axes}) == 1
    _, drawn = made.draw(surface_3d, made.points[made.points["surface"] == "labels"])
    assert drawn["network"].nunique() == 2


@pytest.mark.parametrize("module", FIGURES)
def test_losses_that_are_not_finite_are_marked_and_counted(made, module):
    def lost(row, loss):
        if row["network"] not in ("depths_without_32_0", "labels_1.0_0") or abs(row["a"]) < 0.9:
            return loss
        return np.inf if row["a"] > 0 else np.nan

    figure, drawn = made.draw(module, made.changed(lost))
    assert_whole(figure)
    note, own = figure._supxlabel.get_text(), drawn[drawn["mark"].isna()]
    assert f"{np.isinf(own['loss']).sum()} infinite and {own['loss'].isna().sum()} undefined losses" in note
    hatched = [patch for axis in figure.axes for patch in axis.patches if patch.get_hatch()]
    planes = own.loc[~np.isfinite(own["loss"]), ["surface", "network"]].drop_duplicates()
    assert module is surface_3d or len(hatched) == len(planes)


@pytest.mark.parametrize("first, others", [(np.nan, 0.0), (2.0, np.nan)])
@pytest.mark.parametrize("module", FIGURES)
def test_surfaces_without_any_finite_loss_or_without_relief_are_drawn(made, module, first, others):
    figure, drawn = made.draw(module, made.changed(lambda row, loss: first if row["surface"] == "depth" else others))
    assert_whole(figure)
    assert len(drawn)


@pytest.mark.parametrize("module", FIGURES)
def test_one_unknown_network_with_a_long_name(made, module):
    name = "a_network_of_a_name_that_is_much_longer_than_any_panel_is_wide_" * 2
    points = pd.DataFrame(plane("only", name, bowl(1.0), train_examples=0, test_examples=32, refine=1, n=5))
    figure, drawn = made.draw(module, points)
    if module is surface_planes:
        assert drawn.empty
        return
    assert_whole(figure)
    assert drawn["split"].unique().tolist() == ["test"] and (drawn["level"] == 1).any()
    note = figure._supxlabel.get_text()
    assert "32 test images" in note and "5 × 5 points, refined where the surface bends" in note


def test_what_does_not_fit_on_a_page_is_counted(made):
    rows = [plane(f"surface {i}", f"depths_with_{d}_0", bowl(), n=3) for i in range(9) for d in (8, 20, 32)]
    points = pd.DataFrame([row for own in rows for row in own])
    figure, drawn = made.draw(surface_contours, points)
    assert_whole(figure)
    left = 27 - len(drawn[["surface", "network"]].drop_duplicates())
    assert 0 < left < 27 and f"{left} planes not shown" in figure._supxlabel.get_text()


def test_missing_points_are_an_error(made):
    with pytest.raises(InputError, match="points of the grid are missing"):
        made.draw(surface_contours, made.points.drop(index=3))


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("losses", [[0.02, 3.0], [1e-9, 1e4], [2.0, 2.0], [0.011, 0.012], [5e-3, 0.7, np.inf, np.nan]])
def test_levels_are_few_round_and_enclose_the_losses(losses, log):
    at = surfaces.levels(losses, log)
    assert 2 <= len(at) <= 16 and (np.diff(at) > 0).all()
    finite = np.array(losses)[np.isfinite(losses)]
    assert at[0] <= max(finite.min(), finite.max() * 1e-8 * log) * (1 + 1e-9)
    assert at[-1] >= finite.max() * (1 - 1e-9) or not log
    assert len(surfaces.ticks(at, 5)) <= 5


def test_levels_without_positive_losses():
    assert (np.diff(surfaces.levels([np.nan, np.inf, 0.0], True)) > 0).all()


def test_words():
    rows = [
        {"model": "x", "series": "s", "title": "X", "error": 1.26, "status": np.nan},
        {"model": "y", "series": "s", "title": "Y", "error": np.nan, "status": "diverged in epoch 2"},
        {"model": "z", "series": "s", "title": "Y", "error": np.nan, "status": "ok"},
    ]
    known = surfaces.known(pd.DataFrame(rows))
    assert [surfaces.errors(name, known) for name in ("x", "y", "z", "other")] == ["error 1.3 %", "diverged", "", ""]
    assert surfaces.titles(["x", "y", "other"], known, {}) == {"x": "X", "y": "Y", "other": "other"}
    assert surfaces.titles(["y", "z"], known, {}) == {"y": "y", "z": "z"}  # two of one title
    assert surfaces.setting("weight_decay", np.nan) == "no weight decay"
    assert surfaces.setting("optimizer", "sgd") == "SGD" and surfaces.setting("label_noise", 0.0) == "true labels"
    assert [surfaces.loss_text(x) for x in (0.01, 2.0, 1e-5, 3e5)] == ["0.01", "2", "$10^{-5}$", r"$3\cdot 10^{5}$"]


def test_titles_tell_what_differs(made):
    known = surfaces.known(made.networks)
    seeds = [f"labels_0.0_{seed}" for seed in range(3)]
    assert list(surfaces.titles(seeds, known, AXES, short=True).values()) == ["seed 0", "seed 1", "seed 2"]
    assert list(surfaces.titles(seeds[:1], known, AXES, short=True).values()) == ["true labels"]
    both = surfaces.titles(["depths_with_8_0", "depths_without_8_0"], known, AXES, short=True)
    assert list(both.values()) == ["with shortcuts", "without shortcuts"]
    mixed = surfaces.titles(["depths_with_8_0", "widths_with_4_0"], known, AXES)
    assert list(mixed.values()) == ["with shortcuts, depth 8, width 8", "with shortcuts, depth 20, width 4"]


def test_stages_read_files_and_write_what_is_drawn(made, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(style, "save", lambda *given: saved.append(given))
    tables = {"points": made.few, "summary": made.summary, "networks": made.networks, "places": made.places}
    paths = {key: str(tmp_path / f"{key}.csv") for key in tables}
    for key, table in tables.items():
        write_table(paths[key], table)
    out = {kind: str(tmp_path / f"figure.{kind}") for kind in ("pdf", "png", "csv")}
    job = paths | out | {"networks": [paths["networks"]], "axes": AXES, "dataset": "digits"}
    for name in ("contours", "planes", "3d"):
        own = {key: value for key, value in job.items() if key != "places" or name == "planes"} | {"log": name != "3d"}
        importlib.import_module(f"htsr.stages.plot_surface_{name}").main(OmegaConf.create(own))
    assert len(saved) == 3
    for figure, drawn, *files in saved:
        assert figure.axes and len(drawn) and files == list(out.values())


@pytest.mark.parametrize("module", [surface_planes, surface_3d])
def test_files_are_the_same_each_time(made, tmp_path, module):
    chosen, written = made.few["surface"].isin(["three"] if module is surface_planes else ["labels"]), []
    for _ in range(2):
        out = [tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")]
        style.save(*made.draw(module, made.few[chosen]), *out)
        written.append([path.read_bytes() for path in out])
    assert written[0] == written[1] and all(written[0])
