"""Every configuration composes, and what is wrong in one is said in one line before anything runs."""

import re
import shutil

import pytest
import yaml

from htsr.compose import as_overrides, load, models
from htsr.errors import InputError

GROUPS = ["experiment", "conventions", "series"]
# Composing takes long: what a test of the rest does not need.
LIGHT = {"claims": [], "published": [], "series": ["digits_mlp", "digits_compression"]}


def options(root, group):
    return sorted(path.stem for path in (root / "config" / group).glob("*.yaml"))


@pytest.fixture(scope="module")
def default(root):
    return load(root / "config", [])


def test_every_experiment_and_every_convention(root):
    pairs = [(experiment, "default") for experiment in options(root, "experiment")]
    pairs += [("cifar10", conventions) for conventions in options(root, "conventions") if conventions != "default"]
    for experiment, conventions in pairs:
        config = load(root / "config", [f"experiment={experiment}", f"conventions={conventions}"])
        assert (config["experiment"], config["conventions"]) == (experiment, conventions)
        assert models(config)


def test_every_series_alone(root):
    for series in options(root, "series"):
        config = load(root / "config", as_overrides(LIGHT | {"sweeps": [], "papers": [], "series": [series]}))
        assert list(config["series"]) == [series]


def test_conventions_win_over_defaults(root):
    config = load(root / "config", ["conventions=published_2019"])
    assert config["compute_esd"]["normalization"] == "none"
    assert config["fit_power_law"]["ks"] == "left"


def test_stage_defaults_name_every_setting(root, default):
    """The YAML file of a stage is its documentation, so it is complete."""
    for stage in default:
        path = root / "config" / stage / "default.yaml"
        if path.exists() and stage not in GROUPS:
            assert set(yaml.safe_load(path.read_text()) or {}) == set(default[stage]), stage


def test_overrides_come_back_unchanged(root):
    odd = "a 'b' \"c\" = {d}, [e] $f \\ g: 1e3"
    config = load(
        root / "config",
        as_overrides(
            {
                "experiment": "cifar10",
                "fit_power_law": {"bootstrap": 0},
                "claims": {
                    "mine": {"odd": {"source": odd, "statement": odd, "test": "x", "arguments": {"a": [1, None, True]}}}
                },
            }
        ),
    )
    assert config["fit_power_law"]["bootstrap"] == 0
    assert config["claims"]["mine"]["odd"]["statement"] == odd
    assert config["claims"]["mine"]["odd"]["arguments"] == {"a": [1, None, True]}


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("experiment=nowhere", "nowhere"),
        ("series=[unheard_of]", "unheard_of"),
        ("fit_power_law={bootstrp: 0}", "bootstrp"),
        ("fit_power_law={bootstrap: many}", "many"),
        ("fit_power_law={ks: right}", "two_sided"),
        ("unknown_key=1", "unknown_key"),
        ("mirror=/no/such/folder", "/no/such/folder"),
        ("series={mine: {title: t, dataset: d, models: {Bad-Name: {source: file, file: x}}}}", "Bad-Name"),
        ("series={mine: {title: t, dataset: d, models: {m: {source: url}}}}", "needs `url`"),
        ("series={mine: {title: t, dataset: d, models: {m: {source: trained, train: {epoch: 3}}}}}", "epoch"),
        ("series={mine: {title: t, dataset: d, models: {m: {source: trained, train: {start_from: q}}}}}", "start_from"),
        ("comparison={dense: nobody}", "nobody"),
        ("series=[]", "no models"),
        ("plot_esd={models: [nobody]}", "nobody"),
        ("smoothing={mine: {model: mlp_w64_d3, method: magic}}", "magic"),
        ("model_pairs={mine: [mlp_w64_d3]}", "names 1 models"),
        ("ensembles={mine: {parts: {p: {law: gaussian, shape: [[4, 4]]}}}}", "shape"),
        ("ensembles={mlp_w64_d3: {parts: {}}}", "'mlp_w64_d3' names two of models"),
        ("ensembles=[]", "needs ensembles"),
        (
            "surfaces={mine: {title: t, surfaces: {one: {networks: [digits_labels_2]}}}}",
            "surfaces.mine.one names 'digits_labels_2': the sweep digits_labels has digits_labels_0p0_s0",
        ),
        ("surfaces={mine: {title: t, surfaces: {one: {point: [5]}}}}", "surfaces.mine: one: Key 'point' not in"),
        (
            "hessians={mine: {title: t, networks: [digits_labels_2]}}",
            "hessians.mine names 'digits_labels_2': the sweep",
        ),
        ("solutions={mine: [mlp_w64_d3]}", "solutions.mine names 1 networks"),
        ("jacobians={digits_mlp: {details: [nobody]}}", "jacobians.digits_mlp.details names 'nobody'"),
        ("compute_jacobian={part: both}", "compute_jacobian"),
        ("claims={mine: {alpha_in_range: {source: s, statement: t, test: x}}}", "'alpha_in_range'"),
        (
            "published_results={digits_mlp: {title: t, dataset: d, source: s, accuracy_source: a, folder: f}}",
            "published_results.digits_mlp: a series or a sweep has this name",
        ),
        ("published_results={mine: {title: t, folders: f}}", "folders"),
        ("series={claim: {title: t, dataset: d, models: {m: {source: file, file: x}}}}", "'claim'"),
    ],
)
def test_a_wrong_configuration_is_one_message(root, override, says):
    key, value = override.split("=", 1)
    with pytest.raises(InputError) as caught:
        load(root / "config", as_overrides(LIGHT | {key: yaml.safe_load(value)}))
    message = str(caught.value)
    assert says in message and message.startswith("config: ") and "\n" not in message


def test_what_is_made_of_models_that_were_not_chosen_is_left_out(root, default):
    chosen = {"smoothing": {"mine": {"model": "nobody"}}, "model_pairs": {"mine": ["mlp_w64_d3", "nobody"]}}
    config = load(root / "config", as_overrides(LIGHT | {"series": ["digits_mlp"], **chosen}))
    assert config["smoothing"] and {entry["model"] for entry in config["smoothing"].values()} == {"mlp_w256_d3"}
    assert config["model_pairs"] == {}
    assert "smoothing.mine is left out: 'nobody' is no model of the chosen series" in config["left_out"]
    assert default["left_out"] == []


def test_duplicate_models_are_refused(root, tmp_path):
    shutil.copytree(root / "config", tmp_path / "config")
    entry = "{source: file, file: weights.safetensors}"
    for series in ("one", "two"):
        text = f"{series}: {{title: t, dataset: d, models: {{twin: {entry}}}}}\n"
        (tmp_path / "config/series" / f"{series}.yaml").write_text(text)
    with pytest.raises(InputError, match="'twin' stands in series 'one' and 'two'"):
        load(tmp_path / "config", as_overrides(LIGHT | {"series": ["one", "two"]}))
    text = f"three: {{title: t, dataset: d, models: {{twin: {entry}, twin: {entry}}}}}\n"
    (tmp_path / "config/series/three.yaml").write_text(text)
    with pytest.raises(InputError, match="duplicate key"):
        load(tmp_path / "config", as_overrides(LIGHT | {"series": ["three"]}))


def pins(root, name="requirements.txt"):
    return dict(re.findall(r"^([\w.-]+)==([\w.+-]+)", (root / name).read_text(), re.MULTILINE))


def test_conda_environment_names_the_pins(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert dict(entry.split("==") for entry in pip) == pins(root)
    assert "python=3.11" in environment["dependencies"]


def test_the_installed_packages_are_the_pins(root):
    from importlib.metadata import version

    pinned = pins(root)
    assert {name: version(name).split("+")[0] for name in pinned} == pinned


def test_surfaces_of_networks_that_are_not_chosen_are_left_out(root):
    config = load(root / "config", ["experiment=smoke", "sweeps=[]"])
    kept = config["surfaces"]["smoke_surfaces"]["surfaces"]
    assert list(kept) == ["plane"] and config["hessians"] == config["solutions"] == {}
    told = " ".join(config["left_out"])
    for place in ("surfaces.smoke_surfaces.path", "hessians.smoke_hessians", "solutions.labels"):
        assert f"{place} is left out for 'smoke_plane_0p0_4_s0'" in told


def test_a_surface_stands_in_one_set(root):
    twin = "++surfaces={twin: {title: t, surfaces: {plane: {networks: [smoke_dense]}}}}"
    with pytest.raises(InputError, match="surface 'plane' stands in 'smoke_surfaces' and 'twin'"):
        load(root / "config", ["experiment=smoke", twin])
