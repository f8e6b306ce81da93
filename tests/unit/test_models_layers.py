"""Every kind of weight to matrices, against the linear maps that torch's own layers compute."""

import numpy as np
import pytest
import torch
from torch import nn

from htsr.models.layers import known_layers, matrices

torch.manual_seed(0)


def extract(state, convolution="slices", min_size=1, **options):
    found, listing = matrices(state, convolution, min_size, **options)
    found = list(found)
    assert len({name for name, _, _ in found}) == len(found)
    for _, matrix, _ in found:
        assert matrix.dtype == np.float32
        assert matrix.ndim == 2
        assert matrix.flags.c_contiguous
    assert sum(row["n_matrices"] for row in listing) == len(found)
    return {name: matrix for name, matrix, _ in found}, {name: info for name, _, info in found}, listing


def spectrum(matrix):
    return np.linalg.svd(np.asarray(matrix, dtype=float), compute_uv=False)


def test_linear():
    layer = nn.Linear(5, 3)
    found, info, listing = extract({f"fc.{key}": tensor for key, tensor in layer.state_dict().items()})
    assert np.array_equal(found["fc"], layer.weight.detach())
    assert info == {"fc": {"layer": "fc", "kind": "linear", "kernel": [], "shape": [3, 5], "pool": "fc"}}
    assert listing == [{"layer": "fc", "kind": "linear", "shape": "3 x 5", "n_matrices": 1, "status": "ok"}]


def test_state_of_one_layer():
    assert list(extract(nn.Linear(2, 2).state_dict())[0]) == ["weight"]


def test_slices():
    weight = torch.randn(6, 4, 3, 2)
    found, info, _ = extract({"a.conv.weight": weight})
    assert list(found) == [f"a.conv[{i},{j}]" for i in range(3) for j in range(2)]
    for i in range(3):
        for j in range(2):
            assert np.array_equal(found[f"a.conv[{i},{j}]"], weight[:, :, i, j])
    expected = {"layer": "a.conv", "kind": "conv2d", "kernel": [3, 2], "shape": [6, 4, 3, 2], "pool": "a.conv[2,1]"}
    assert info["a.conv[2,1]"] == expected


def test_pooled_has_the_same_matrices_in_one_pool():
    weight = torch.randn(6, 4, 3, 3)
    slices, _, _ = extract({"conv.weight": weight})
    pooled, info, _ = extract({"conv.weight": weight, "fc.weight": torch.ones(2, 2)}, "pooled")
    assert all(np.array_equal(pooled[name], slices[name]) for name in slices)
    assert {entry["pool"] for entry in info.values()} == {"conv", "fc"}


def test_unfolded_is_the_map_from_patches():
    layer = nn.Conv2d(4, 6, 3, bias=False)
    found, _, _ = extract({"conv.weight": layer.weight}, "unfolded")
    patch = torch.randn(1, 4, 3, 3)
    assert list(found) == ["conv"]
    assert np.allclose(found["conv"] @ patch.flatten().numpy(), layer(patch).detach().flatten(), atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_unfolded(groups):
    """A transposed convolution spreads one pixel of all its inputs: its matrix is out x in·kernel in each group."""
    layer = nn.ConvTranspose2d(4, 6, (3, 2), bias=False, groups=groups)
    network = nn.Sequential(layer)
    found, _, listing = extract(network.state_dict(), "unfolded", known=known_layers(network))
    inside, outside = 4 // groups, 6 // groups
    for group in range(groups):
        matrix = found["0" if groups == 1 else f"0[{group}]"]
        assert matrix.shape == (outside, inside * 6)
        for channel in range(inside):
            pixel = torch.zeros(1, 4, 1, 1)
            pixel[0, group * inside + channel] = 1
            answer = layer(pixel)[0, group * outside : (group + 1) * outside].detach()
            assert np.array_equal(matrix.reshape(outside, inside, 3, 2)[:, channel], answer)
    assert listing[0]["kind"] == "conv_transpose2d"


def test_transposed_slices_have_the_same_shape_rule():
    layer = nn.ConvTranspose2d(4, 6, 3)
    found, _, _ = extract({"up.weight": layer.weight}, known={"up.weight": {"kind": "conv_transpose2d"}})
    assert np.array_equal(found["up[1,2]"], layer.weight[:, :, 1, 2].detach())


@pytest.mark.parametrize(
    ("layer", "kernel"),
    [(nn.Conv1d(4, 6, 3), (3,)), (nn.Conv2d(4, 6, 3), (3, 3)), (nn.Conv3d(4, 6, (2, 1, 3)), (2, 1, 3))],
)
def test_dimensions(layer, kernel):
    found, info, listing = extract({"conv.weight": layer.weight})
    assert listing[0]["kind"] == f"conv{len(kernel)}d"
    for position in np.ndindex(kernel):
        name = f"conv[{','.join(map(str, position))}]"
        assert np.array_equal(found[name], layer.weight.detach()[(slice(None), slice(None), *position)])
        assert info[name]["kernel"] == list(kernel)


@pytest.mark.parametrize("kernel", [(1,), (1, 1), (1, 1, 1)])
def test_pointwise_is_one_matrix(kernel):
    for convolution in ("slices", "pooled", "unfolded"):
        found, info, _ = extract({"conv.weight": torch.randn(6, 4, *kernel)}, convolution)
        assert {name: matrix.shape for name, matrix in found.items()} == {"conv": (6, 4)}
        assert info["conv"]["pool"] == "conv"


def test_groups():
    """Two half convolutions side by side."""
    layer = nn.Conv2d(8, 6, 3, groups=2, bias=False)
    known = {"conv.weight": {"groups": 2}}
    found, _, listing = extract({"conv.weight": layer.weight}, known=known)
    assert listing[0]["n_matrices"] == 18
    assert np.array_equal(found["conv[1,0,2]"], layer.weight[3:, :, 0, 2].detach())
    patch = torch.randn(1, 8, 3, 3)
    whole = layer(patch).detach().flatten()
    found, _, _ = extract({"conv.weight": layer.weight}, "unfolded", known=known)
    for group in range(2):
        part = found[f"conv[{group}]"] @ patch[0, 4 * group : 4 * group + 4].flatten().numpy()
        assert np.allclose(part, whole[3 * group : 3 * group + 3], atol=1e-6)
    pooled = extract({"conv.weight": layer.weight}, "pooled", known=known)[1]
    assert {entry["pool"] for entry in pooled.values()} == {"conv"}


def test_depthwise_is_skipped():
    network = nn.Sequential(nn.Conv2d(64, 64, 7, groups=64), nn.Conv2d(1, 64, 7))
    for convolution in ("slices", "unfolded"):
        _, _, listing = extract(network.state_dict(), convolution, known=known_layers(network))
        assert listing[0]["status"] == "depthwise: one channel a group, no matrix"
        assert listing[1]["status"] == "ok"
        _, _, listing = extract(network.state_dict(), convolution)
        assert all("unless `layers` says groups: 1" in row["status"] for row in listing)


def test_wrong_groups_are_a_reason():
    _, _, listing = extract({"conv.weight": torch.ones(6, 4, 3, 3)}, known={"conv.weight": {"groups": 4}})
    assert listing[0]["status"] == "6 filters are no multiple of 4 groups"


@pytest.mark.parametrize(("module", "gates"), [(nn.LSTM, "ifgo"), (nn.GRU, "rzn"), (nn.RNN, None)])
def test_recurrent(module, gates):
    layer = module(5, 7, num_layers=2, bidirectional=True)
    state = {f"rnn.{key}": tensor for key, tensor in layer.state_dict().items()}
    found, info, listing = extract(state)
    assert len(listing) == 8
    for key, tensor in state.items():
        if tensor.ndim == 2:
            for gate, part in zip(gates or [""], tensor.reshape(len(gates or " "), 7, -1), strict=True):
                assert np.array_equal(found[f"{key}[{gate}]" if gate else key], part)
                assert info[f"{key}[{gate}]" if gate else key]["kind"] == module.__name__.lower()


def test_gates_do_what_torch_does():
    """One step of an LSTM from a zero state: c = sigmoid(i) tanh(g), h = sigmoid(o) tanh(c)."""
    cell = nn.LSTMCell(5, 7, bias=False)
    found, _, _ = extract(cell.state_dict())
    x = torch.randn(5)
    gate = {name: torch.from_numpy(found[f"weight_ih[{name}]"]) @ x for name in "igo"}
    state = torch.sigmoid(gate["i"]) * torch.tanh(gate["g"])
    assert torch.allclose(torch.sigmoid(gate["o"]) * torch.tanh(state), cell(x)[0], atol=1e-6)


def test_recurrent_with_projection():
    layer = nn.LSTM(5, 7, proj_size=3)
    found, _, _ = extract(layer.state_dict())
    shapes = {"ih": (7, 5), "hh": (7, 3)}
    expected = {f"weight_{which}_l0[{gate}]": shapes[which] for which in shapes for gate in "ifgo"}
    assert {name: matrix.shape for name, matrix in found.items()} == expected | {"weight_hr_l0": (3, 7)}


def test_recurrent_without_its_other_half():
    _, _, listing = extract({"rnn.weight_ih_l0": torch.ones(28, 5)})
    assert listing[0]["status"] == "its gates cannot be told apart: no rule for this shape"


def test_fused_projection():
    layer = nn.MultiheadAttention(6, 2)
    found, info, listing = extract({f"attn.{key}": tensor for key, tensor in layer.state_dict().items()})
    query, key, value = layer.in_proj_weight.detach().chunk(3)
    assert np.array_equal(found["attn.in_proj_weight[q]"], query)
    assert np.array_equal(found["attn.in_proj_weight[k]"], key)
    assert np.array_equal(found["attn.in_proj_weight[v]"], value)
    assert info["attn.in_proj_weight[q]"]["kind"] == "attention"
    assert [row["layer"] for row in listing] == ["attn.in_proj_weight", "attn.out_proj"]
    separate = nn.MultiheadAttention(6, 2, kdim=4, vdim=5).state_dict()
    assert {
        row["layer"]: row["kind"] for row in extract(separate)[2] if "proj_weight" in row["layer"]
    } == dict.fromkeys(("q_proj_weight", "k_proj_weight", "v_proj_weight"), "linear")


@pytest.mark.parametrize("key", ["mlp.experts.gate_up_proj", "moe.weight", "layers.0.experts.w1.weight"])
def test_experts(key):
    weight = torch.randn(3, 4, 5)
    found, info, listing = extract({key: weight})
    assert listing[0]["kind"] == "experts"
    layer = key.removesuffix(".weight")
    assert np.array_equal(found[f"{layer}[2]"], weight[2])
    assert info[f"{layer}[2]"]["pool"] == f"{layer}[2]"


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("transformer.wte.weight", "embedding"),
        ("bert.embeddings.word_embeddings.weight", "embedding"),
        ("model.embed_tokens.weight", "embedding"),
        ("positional_embedding", "embedding"),
        ("time_embedding.linear_1.weight", "linear"),
        ("embed_out.weight", "linear"),
        ("h.0.attn.c_attn.weight", "hf_conv1d"),
        ("h.0.mlp.c_fc.weight", "hf_conv1d"),
        ("lm_head.weight", "linear"),
        ("text_projection", "unknown"),
        ("fc.weight_orig", "unknown"),
    ],
)
def test_kinds_by_name(key, kind):
    _, _, listing = extract({key: torch.ones(4, 6)})
    assert listing[0]["kind"] == kind
    reason = "no rule for a weight of 2 dimensions with this name" if kind == "unknown" else "ok"
    assert listing[0]["status"] == reason


def test_known_kind_wins_over_the_name():
    known = {"text_projection": {"kind": "linear"}, "wte.weight": {"kind": "linear"}}
    _, _, listing = extract({key: torch.ones(4, 6) for key in known}, known=known)
    assert [(row["kind"], row["status"]) for row in listing] == [("linear", "ok")] * 2


def test_kind_that_does_not_fit_the_shape():
    _, _, listing = extract({"fc.weight": torch.ones(4, 6)}, known={"fc.weight": {"kind": "conv2d"}})
    assert listing[0]["status"] == "no rule for a weight of 2 dimensions with this name"


def test_everything_with_two_dimensions_is_listed():
    state = {
        "conv.weight": torch.ones(4, 4, 3, 3),
        "norm.weight": torch.ones(4),
        "attn.bias": torch.ones(1, 1, 8, 8),
        "mask.weight": torch.ones(2, 2, 2, 2, 2, 2),
        "index": torch.ones(3, 3, dtype=torch.int64),
        "wave.weight": torch.ones(3, 3, dtype=torch.complex64),
        "scale": torch.tensor(1.0),
    }
    _, _, listing = extract(state)
    assert {row["layer"]: row["status"] for row in listing} == {
        "conv": "ok",
        "attn.bias": "no rule for a weight of 4 dimensions with this name",
        "mask": "no rule for a weight of 6 dimensions with this name",
        "index": "entries are int64, not real numbers",
        "wave": "entries are complex64, not real numbers",
    }


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.bool])
def test_integer_weights_are_skipped(dtype):
    _, _, listing = extract({"fc.weight": torch.ones(4, 4).to(dtype)})
    assert listing[0]["status"] == f"entries are {str(dtype)[6:]}, not real numbers"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_other_precisions_become_single(dtype):
    weight = torch.randn(4, 4, dtype=torch.float64).to(dtype)
    found, _, _ = extract({"fc.weight": weight, "conv.weight": torch.ones(2, 2, 2, 2).to(dtype)})
    assert np.array_equal(found["fc"], weight.float().numpy())


def test_numpy_arrays_will_do():
    weight = np.random.default_rng(0).standard_normal((4, 3, 2, 2))
    state = {"conv.weight": weight, "fc.weight": np.ones((3, 3), np.float16), "big.weight": np.full((2, 2), 1e300)}
    found, _, _ = extract(state)
    assert np.array_equal(found["conv[1,0]"], weight[:, :, 1, 0].astype(np.float32))
    assert np.isinf(found["big"]).all()


def test_not_a_number_and_infinite_pass():
    weight = torch.tensor([[np.nan, 1.0], [np.inf, -np.inf]])
    found, _, _ = extract({"fc.weight": weight})
    assert np.array_equal(found["fc"], weight.numpy(), equal_nan=True)


def test_size_limit():
    state = {
        "a.weight": torch.ones(64, 3, 3, 3),
        "b.weight": torch.ones(50, 64, 1, 1),
        "c.weight": torch.ones(7, 1),
        "d.weight": torch.ones(0, 60),
    }
    _, _, listing = extract(state, min_size=50)
    assert [row["status"] for row in listing] == [
        "64 x 3: smaller side under 50",
        "ok",
        "7 x 1: smaller side under 50",
        "0 x 60: empty",
    ]
    found, _, listing = extract(state, "unfolded", min_size=27)
    assert found["a"].shape == (64, 27)
    found, _, listing = extract(state, min_size=0)
    assert found["c"].shape == (7, 1)
    assert listing[3]["status"] == "0 x 60: empty"


def test_tied_weights_are_listed():
    _, _, listing = extract({"wte.weight": torch.ones(4, 4)}, tied={"lm_head.weight": "wte.weight"})
    expected = {"kind": "linear", "shape": "4 x 4", "n_matrices": 0, "status": "the same weight as wte.weight"}
    assert listing[1] == {"layer": "lm_head"} | expected


def test_known_layers():
    class Mine(nn.Conv2d):
        """A subclass counts as its base."""

    network = nn.ModuleDict(
        {
            "a": Mine(4, 4, 3, groups=2),
            "b": nn.ConvTranspose1d(2, 2, 2),
            "c": nn.Sequential(nn.Embedding(3, 2), nn.BatchNorm1d(3), nn.Linear(2, 2)),
            "d": nn.Bilinear(2, 3, 4),
        }
    )
    assert known_layers(network) == {
        "a.weight": {"kind": "conv2d", "groups": 2, "transposed": False},
        "b.weight": {"kind": "conv_transpose1d", "groups": 1, "transposed": True},
        "c.0.weight": {"kind": "embedding", "groups": 1, "transposed": False},
        "c.2.weight": {"kind": "linear", "groups": 1, "transposed": False},
        "d.weight": {"kind": "bilinear", "groups": 1, "transposed": False},
    }
    found, _, _ = extract(network.state_dict(), known=known_layers(network))
    assert found["d[3]"].shape == (2, 3)
    assert known_layers(nn.Linear(2, 2)) == {"weight": {"kind": "linear", "groups": 1, "transposed": False}}


def test_matrices_come_one_at_a_time():
    """Nothing is read of a weight before its turn."""

    class Watched(dict):
        read = 0

        def __getitem__(self, key):
            self.read += 1
            return super().__getitem__(key)

    state = Watched({f"{i}.weight": torch.ones(2, 2) for i in range(3)})
    found, _ = matrices(state, min_size=1)
    before = state.read
    next(found)
    assert state.read == before + 1
