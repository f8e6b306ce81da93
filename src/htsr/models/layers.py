"""Weights to matrices: one rule for each kind of layer, and a reason for each weight that gives no matrix."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

# Kinds by the name of the module's class, for networks that are at hand as modules.
_CLASSES = {
    "Linear": "linear",
    "Conv1D": "hf_conv1d",
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "Conv3d": "conv3d",
    "ConvTranspose1d": "conv_transpose1d",
    "ConvTranspose2d": "conv_transpose2d",
    "ConvTranspose3d": "conv_transpose3d",
    "Embedding": "embedding",
    "EmbeddingBag": "embedding",
    "Bilinear": "bilinear",
}
_PLANE = {"linear", "hf_conv1d", "embedding"}
_STACKS = {"experts", "bilinear"}
_RECURRENT = re.compile(r"weight_(ih|hh|hr)(_l\d+(_reverse)?)?$")
_GATES = {1: ("rnn", ("",)), 3: ("gru", ("r", "z", "n")), 4: ("lstm", ("i", "f", "g", "o"))}  # torch's order
_HF_CONV1D = {"c_attn", "c_proj", "c_fc", "q_attn"}
_EMBEDDINGS = re.compile(r"embed|^w[tp]e$")
_EXPERTS = re.compile(r"(^|[._])(experts?|moe)([._]|$)")


@dataclass(frozen=True)
class Weight:
    """A weight as a stack of blocks: blocks x rows x columns x kernel.

    labels: names of the blocks (groups, gates, experts; one empty label for a single block). reason: "" or why there
    are no matrices, then the other fields but layer and kind mean nothing.
    """

    key: str
    kind: str
    rows: int = 0
    columns: int = 0
    kernel: tuple[int, ...] = ()
    labels: tuple[str, ...] = ("",)
    transposed: bool = False
    reason: str = ""

    @property
    def layer(self) -> str:
        return self.key.removesuffix(".weight")


def known_layers(network: Any) -> dict[str, dict[str, Any]]:
    """What a torch module tells of its weights and a state dict does not: {weight key: {kind, groups, transposed}}."""
    known = {}
    for name, module in network.named_modules():
        names = [base.__name__ for base in type(module).__mro__]
        kind = next((_CLASSES[base] for base in names if base in _CLASSES), None)
        if kind:
            known[f"{name}.weight" if name else "weight"] = {
                "kind": kind,
                "groups": getattr(module, "groups", 1),
                "transposed": getattr(module, "transposed", False),
            }
    return known


def matrices(
    state: Mapping[str, Any],
    convolution: str = "slices",
    min_size: int = 50,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    tied: Mapping[str, str] | None = None,
) -> tuple[Iterator[tuple[str, np.ndarray, dict[str, Any]]], list[dict[str, Any]]]:
    """The matrices of a state dict, one at a time, and the listing of its weights.

    state: arrays of numpy or tensors of torch by dotted name; 1-D ones (biases, norms) are no weights.
    convolution: `slices`, one out x in matrix for each kernel position; `pooled`, the same with one `pool` a layer;
    `unfolded`, one out x in·kernel matrix. Groups, gates (LSTM, GRU), q/k/v of a fused projection and experts are
    separate matrices. min_size: matrices with a smaller side below it are left out.
    known: what `known_layers` says. tied: {dropped name: kept name} of weights that are shared.
    Yields (name, float32 matrix, {layer, kind, kernel, shape, pool}), named `layer` or `layer[block,i,j]`.
    Listing: {layer, kind, shape, n_matrices, status} of every weight, status "ok" or the reason it has no matrix.
    """
    known, weights, listing = known or {}, [], []
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    for key, shape in shapes.items():
        if len(shape) < 2:
            continue
        weight = _describe(key, shapes, known.get(key, {}))
        reason = _unusable(state[key].dtype) or weight.reason or _too_small(weight, convolution, min_size)
        count = 0 if reason else len(weight.labels) * (1 if convolution == "unfolded" else prod(weight.kernel))
        listing.append(_row(weight.layer, weight.kind, shape, count, reason or "ok"))
        if not reason:
            weights.append(weight)
    for key, kept in (tied or {}).items():
        if len(shapes[kept]) >= 2:
            weight = _describe(key, shapes | {key: shapes[kept]}, known.get(key, {}))
            listing.append(_row(weight.layer, weight.kind, shapes[kept], 0, f"the same weight as {kept}"))
    return _stream(state, weights, convolution), listing


def _row(layer: str, kind: str, shape: tuple[int, ...], count: int, status: str) -> dict[str, Any]:
    return {"layer": layer, "kind": kind, "shape": " x ".join(map(str, shape)), "n_matrices": count, "status": status}


def _unusable(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return "" if name.startswith(("float", "bfloat")) else f"entries are {name}, not real numbers"


def _too_small(weight: Weight, convolution: str, min_size: int) -> str:
    rows, columns = weight.rows, weight.columns
    if convolution == "unfolded":
        rows, columns = (columns, rows) if weight.transposed else (rows, columns)
        columns *= prod(weight.kernel)
    if min(rows, columns) == 0:
        return f"{rows} x {columns}: empty"
    return f"{rows} x {columns}: smaller side under {min_size}" if min(rows, columns) < min_size else ""


def _describe(key: str, shapes: Mapping[str, tuple[int, ...]], known: Mapping[str, Any]) -> Weight:
    """The rule that covers a weight of two or more dimensions."""
    shape, (owner, _, name) = shapes[key], key.rpartition(".")
    kind = known.get("kind") or _kind(shape, owner, name)
    if not kind and _RECURRENT.match(name):
        return _recurrent(key, shapes)
    if not kind and name == "in_proj_weight" and len(shape) == 2 and shape[0] % 3 == 0:
        return Weight(key, "attention", shape[0] // 3, shape[1], labels=("q", "k", "v"))
    if kind in _PLANE and len(shape) == 2:
        return Weight(key, kind, *shape)
    if kind in _STACKS and len(shape) == 3:
        return Weight(key, kind, *shape[1:], labels=tuple(map(str, range(shape[0]))))
    if kind.startswith("conv") and kind[-2:] == f"{len(shape) - 2}d":
        return _convolution(key, kind, shape, known)
    return Weight(key, kind or "unknown", reason=f"no rule for a weight of {len(shape)} dimensions with this name")


def _kind(shape: tuple[int, ...], owner: str, name: str) -> str:
    """The kind as far as names and shape tell it, "" if not."""
    last = owner.rpartition(".")[2]
    if len(shape) == 3 and _EXPERTS.search(f"{owner}.{name}"):
        return "experts"
    if len(shape) == 2 and _EMBEDDINGS.search(name if name != "weight" else last) and last != "embed_out":
        return "embedding"
    if name in ("weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
        plane = "hf_conv1d" if last in _HF_CONV1D else "linear"
        return plane if len(shape) == 2 else f"conv{len(shape) - 2}d" if len(shape) <= 5 else ""
    return ""


def _recurrent(key: str, shapes: Mapping[str, tuple[int, ...]]) -> Weight:
    """Gates x hidden x input; the hidden size is the output of weight_hr where there is one, else that of weight_hh."""
    sibling = {which: re.sub(r"weight_(ih|hh|hr)", f"weight_{which}", key) for which in ("hr", "hh")}
    hidden = next((shapes[name][1] for name in sibling.values() if len(shapes.get(name, ())) == 2), 0)
    shape = shapes[key]
    if key == sibling["hr"] and len(shape) == 2:
        return Weight(key, "lstm", *shape)
    if len(shape) != 2 or not hidden or shape[0] % hidden or shape[0] // hidden not in _GATES:
        return Weight(key, "recurrent", reason="its gates cannot be told apart: no rule for this shape")
    kind, labels = _GATES[shape[0] // hidden]
    return Weight(key, kind, hidden, shape[1], labels=labels)


def _convolution(key: str, kind: str, shape: tuple[int, ...], known: Mapping[str, Any]) -> Weight:
    """torch's layout: out x in/groups x kernel, of a transposed convolution in x out/groups x kernel."""
    groups, kernel = known.get("groups"), shape[2:]
    transposed = bool(known.get("transposed", "transpose" in kind))
    rows, columns = shape[0], shape[1]
    if columns == 1 and groups is None and rows > 1:
        return Weight(key, kind, reason="one input channel a filter: depthwise, unless `layers` says groups: 1")
    groups = groups or 1
    if rows % groups:
        return Weight(key, kind, reason=f"{rows} filters are no multiple of {groups} groups")
    if columns == 1 and groups > 1:
        return Weight(key, kind, reason="depthwise: one channel a group, no matrix")
    labels = tuple(map(str, range(groups))) if groups > 1 else ("",)
    return Weight(key, kind, rows // groups, columns, kernel, labels, transposed)


def _stream(
    state: Mapping[str, Any], weights: list[Weight], convolution: str
) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    for weight in weights:
        tensor = state[weight.key]
        info = {
            "layer": weight.layer,
            "kind": weight.kind,
            "kernel": list(weight.kernel),
            "shape": list(tensor.shape),
        }
        for labels, piece in _pieces(weight, tensor, convolution):
            name = f"{weight.layer}[{','.join(labels)}]" if labels else weight.layer
            pooled = convolution == "pooled" and weight.kernel
            yield name, _float32(piece), info | {"pool": weight.layer if pooled else name}


def _pieces(weight: Weight, tensor: Any, convolution: str) -> Iterator[tuple[list[str], Any]]:
    """The 2-D parts of a weight with their labels."""
    blocks = tensor.reshape((len(weight.labels), weight.rows, weight.columns, *weight.kernel))
    for label, block in zip(weight.labels, blocks, strict=True):
        block_label = [label] if label else []
        if convolution == "unfolded":
            block = block.swapaxes(0, 1) if weight.transposed else block
            yield block_label, block.reshape((block.shape[0], -1))
        elif prod(weight.kernel) == 1:
            yield block_label, block.reshape((weight.rows, weight.columns))
        else:
            for position in np.ndindex(weight.kernel):
                yield block_label + list(map(str, position)), block[(slice(None), slice(None), *position)]


def _float32(piece: Any) -> np.ndarray:
    if hasattr(piece, "detach"):
        piece = piece.detach().cpu().float().numpy()
    with np.errstate(over="ignore"):  # float64 beyond the range of float32 becomes infinite, and is reported later
        return np.ascontiguousarray(piece, dtype=np.float32)
