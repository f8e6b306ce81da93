"""Rebuild a model's layers from part of their singular values, as a new file of weights, and measure what that costs.

In: weights of a model (`weights`), measures and tail fits of its spectra (`measures`, `fits`, CSV), made with the same
`convolution` and `min_size`. Out: weights in the same format (`smoothed`), what became of every matrix (`listing`, CSV)
and one row with the accuracies (`summary`, CSV), which need the `network`, `dataset` and `images` (safetensors of
download_dataset) that the model was trained with.

Methods: `rank` keeps the largest singular values, `rank` of them or that share; `edge` those beyond the Tracy-Widom
quantile of the bulk's edge; `power_law` those of the fitted tail, `erg` those of the ERG tail; `shrinkage` shrinks all
for the least Frobenius error against the signal in noise of the bulk's variance. `invert` keeps the rest instead.
A matrix without spike, fit or bulk is left as it is, and the listing says so.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import MISSING
from torch import Tensor

from htsr.config import Convolution, Dataset, ExtractLayers, Network, Truncation
from htsr.datasets.load import load
from htsr.errors import InputError
from htsr.files import read_table, write_table
from htsr.metrics.erg import erg_tail
from htsr.models.assemble import assemble
from htsr.models.layers import matrices
from htsr.models.weights import count_parameters, read_weights, write_weights
from htsr.networks.build import build
from htsr.networks.train import evaluate, percent
from htsr.spectra import distances, reconstruct, spiked
from htsr.spectra.marchenko_pastur import fit_bulk
from htsr.stage import stage

log = logging.getLogger("htsr.smooth_model")

LISTING = [
    *("layer", "weight_layer", "n", "m", "norm", "matrix_rank", "kept_rank", "kept_energy", "kept_min", "kept_max"),
    *("log_wasserstein", "status"),
]
SUMMARY = [
    *("smoothing", "model", "method", "rank", "invert", "n_matrices", "n_unchanged", "n_parameters", "kept_parameters"),
    *("kept_energy", "accuracy_before", "accuracy_before_stderr", "accuracy_after", "accuracy_after_stderr"),
    *("accuracy_change", "accuracy_change_stderr", "train_accuracy_before", "train_accuracy_after", "n_test"),
]


@dataclass
class SmoothModelJob(ExtractLayers):
    """The settings of htsr.config.Smoothing, and those of extract_layers with which measures and fits were made.

    network, train_fraction, crop, dataset, images: what the model was trained with; without a network no accuracies.
    """

    method: Truncation = Truncation.edge
    rank: float = 0.2
    invert: bool = False
    layers: list[str] = field(default_factory=list)
    name: str = MISSING
    network: Network | None = None
    train_fraction: float = 1.0
    crop: int = 0
    dataset: Dataset = field(default_factory=Dataset)
    images: str | None = None
    weights: str = MISSING
    measures: str = MISSING
    fits: str = MISSING
    smoothed: str = MISSING
    listing: str = MISSING
    summary: str = MISSING


@stage(SmoothModelJob)
def main(job: SmoothModelJob) -> None:
    if job.network is not None and job.images is None:
        raise InputError(f"smoothing {job.name}: `network` is given, but `images` names no file to evaluate it on")
    if job.rank <= 0 or (job.rank >= 1 and job.rank != round(job.rank)):
        raise InputError(f"smoothing {job.name}: rank is {job.rank}: give a whole number, or a share between 0 and 1")
    try:
        chosen = [re.compile(pattern) for pattern in job.layers]
    except re.error as error:
        raise InputError(f"smoothing {job.name}: layers: no regular expression: {error}") from error
    torch.set_num_threads(1)
    read, origin = read_weights(job.weights)
    state = {
        key: value if isinstance(value, Tensor) else torch.from_numpy(np.array(value)) for key, value in read.items()
    }
    tables = {"measures": read_table(job.measures), "fits": read_table(job.fits)}
    rows = {name: {row["layer"]: row for row in table.to_dict("records")} for name, table in tables.items()}
    found, _ = matrices(read, job.convolution.value, job.min_size, origin.get("layers"), origin.get("tied"))
    smoothed, listing = dict(state), []
    for layer, group in groupby(found, key=lambda item: item[2]["layer"]):
        if chosen and not any(pattern.fullmatch(layer) for pattern in chosen):
            continue
        key = layer if layer in state else f"{layer}.weight"
        items = list(group)
        rebuilt, own = smooth_weight(job, layer, items, rows)
        listing += own
        if any(row["status"] == "ok" for row in own):
            info = items[0][2]
            known = (origin.get("layers") or {}).get(key, {})
            how = {
                "shape": info["shape"],
                "kernel": info["kernel"],
                "unfolded": job.convolution == Convolution.unfolded and bool(info["kernel"]),
                "transposed": bool(known.get("transposed", "transpose" in info["kind"])),
            }
            before = torch.from_numpy(assemble([matrix for _, matrix, _ in items], **how))
            if not torch.equal(before, state[key].float()):
                raise InputError(f"{job.weights}: {key}: its matrices cannot be put together again")
            smoothed[key] = torch.from_numpy(assemble(rebuilt, **how)).to(state[key].dtype)
        log.info("%s: %s", layer, ", ".join(dict.fromkeys(row["status"] for row in own)))
    if not listing:
        raise InputError(f"smoothing {job.name}: no matrix of {job.weights} to smooth: check layers and min_size")
    row = summarize(job, origin, state, listing) | accuracies(job, state, smoothed)
    write_table(job.listing, listing, LISTING)
    write_table(job.summary, [row], SUMMARY)
    write_weights(job.smoothed, smoothed, origin | provenance(job, origin, row))


def smooth_weight(
    job: SmoothModelJob,
    layer: str,
    items: list[tuple[str, np.ndarray, Mapping[str, Any]]],
    rows: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """The rebuilt matrices of one weight, in order, and their rows of the listing."""
    rebuilt, listing = [], []
    for pool, group in groupby(items, key=lambda item: item[2]["pool"]):
        of_pool = list(group)
        for name, table in rows.items():
            if pool not in table:
                raise InputError(
                    f"{getattr(job, name)}: has no {pool!r}: make it with the same convolution and min_size"
                )
        measured, fit = (rows[name][pool] for name in ("measures", "fits"))
        for (name, w, _), (matrix, row) in zip(of_pool, smooth_pool(job, of_pool, measured, fit), strict=True):
            n, m = max(w.shape), min(w.shape)
            listing.append({"layer": name, "weight_layer": layer, "n": n, "m": m} | row)
            rebuilt.append(matrix)
    return rebuilt, listing


def smooth_pool(
    job: SmoothModelJob,
    items: list[tuple[str, np.ndarray, Mapping[str, Any]]],
    measured: Mapping[str, Any],
    fit: Mapping[str, Any],
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Of each matrix of one spectrum what it becomes, and its numbers."""
    unchanged = [w for _, w, _ in items]
    try:
        parts = [reconstruct.decompose(w) for w in unchanged]
    except (ValueError, np.linalg.LinAlgError) as error:
        return [(w, {"status": f"unchanged: {error}"}) for w in unchanged]
    squares = [part.squares for part in parts]
    top = max(own[-1] for own in squares)
    if not top > 0:
        return [(w, {"status": "unchanged: all eigenvalues are zero"}) for w in unchanged]
    scale = float(measured["lambda_max"]) / top  # from σ² to the eigenvalues of the tables
    n = max(unchanged[0].shape)
    factors, reason = kept(job, squares, n, scale, measured, fit)
    results = []
    for w, part, weights in zip(unchanged, parts, factors, strict=True):
        weights = 1 - weights if job.invert and not reason else weights
        remaining = part.squares * weights**2
        logs = [distances.log_eigenvalues(values) for values in (part.squares, remaining)]
        inside = part.squares[(weights > 0) & (part.squares > 0)] * scale
        row = {
            "norm": float(np.sqrt(part.squares.sum())),
            "matrix_rank": np.count_nonzero(part.squares),
            "kept_rank": len(inside),
            "kept_energy": remaining.sum() / part.squares.sum() if part.squares[-1] > 0 else float("nan"),
            "kept_min": inside.min(initial=np.inf) if len(inside) else None,
            "kept_max": inside.max(initial=0.0) if len(inside) else None,
            "log_wasserstein": distances.wasserstein(*logs),
            "status": reason or "ok",
        }
        results.append((w if reason else reconstruct.rebuild(part, weights).astype(np.float32), row))
    return results


def kept(
    job: SmoothModelJob,
    squares: list[np.ndarray],
    n: int,
    scale: float,
    measured: Mapping[str, Any],
    fit: Mapping[str, Any],
) -> tuple[list[np.ndarray], str]:
    """Factors of the singular values of each matrix of a spectrum, and why they are all 1 where the method fails."""
    pooled, every = np.sort(np.concatenate(squares)), [np.ones(len(own)) for own in squares]
    if job.method == Truncation.rank:
        return [reconstruct.largest(len(own), reconstruct.rank_of(job.rank, len(own))) for own in squares], ""
    spikes = 0 if pd.isna(measured["n_spikes"]) else int(measured["n_spikes"])
    if job.method in (Truncation.edge, Truncation.shrinkage):
        count, reason = spikes, "unchanged: nothing beyond the edge"
    elif job.method == Truncation.erg:
        count, reason = erg_tail(pooled).number, ""
    else:
        count = 0 if pd.isna(fit["xmin"]) else int(np.count_nonzero(pooled * scale >= fit["xmin"] * (1 - 1e-9)))
        reason = f"unchanged: no fitted tail ({fit['status']})"
    bulk = fit_bulk(pooled / n, n, len(squares)) if job.method == Truncation.shrinkage else None
    if count == 0 or (job.method == Truncation.shrinkage and bulk is None):
        return every, reason
    if bulk is not None:
        return [reconstruct.shrunk(own, spiked.shrink(np.sqrt(own), n, len(own), bulk.sigma2)) for own in squares], ""
    return [(own >= pooled[-count]).astype(float) for own in squares], ""


def summarize(
    job: SmoothModelJob, origin: Mapping[str, Any], state: Mapping[str, Tensor], listing: list[dict[str, Any]]
) -> dict[str, Any]:
    """One row of the summary, without accuracies.

    kept_parameters: numbers to store where a smoothed matrix of rank k is stored as k(N + M), if that is less.
    kept_energy: share of the summed ‖W‖_F² of the matrices that were to be smoothed.
    """
    total, saved = count_parameters(state), 0
    norms, kept_norms = [0.0], [0.0]
    for row in listing:
        size = row["n"] * row["m"]
        if row["status"] == "ok":
            saved += size - min(row["kept_rank"] * (row["n"] + row["m"]), size)
        if not pd.isna(row.get("kept_energy")):
            norms.append(row["norm"] ** 2)
            kept_norms.append(row["norm"] ** 2 * row["kept_energy"])
    return {
        "smoothing": job.name,
        "model": origin.get("model"),
        "method": job.method.value,
        "rank": job.rank if job.method == Truncation.rank else None,
        "invert": job.invert,
        "n_matrices": len(listing),
        "n_unchanged": sum(row["status"] != "ok" for row in listing),
        "n_parameters": total,
        "kept_parameters": total - saved,
        "kept_energy": sum(kept_norms) / sum(norms) if sum(norms) > 0 else None,
    }


def accuracies(job: SmoothModelJob, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Any]:
    """Accuracies in percent on the training images, against their true labels, and on the test images.

    Empty without a network.
    Standard errors are binomial with one image added to either side, lest a share of 0 or 1 have none; that of the
    change is of paired answers to the same images, half an image added to each kind (Agresti and Min 2005).
    """
    if job.network is None:
        return {}
    seen = {key: getattr(job.dataset, key) for key in ("test_fraction", "test_size", "seed")}
    data = load(job.images, train_fraction=job.train_fraction, crop=job.crop, **seen)
    train, test = (
        (torch.from_numpy(images), torch.from_numpy(labels))
        for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels))
    )
    generator = torch.Generator().manual_seed(0)
    network = build(
        job.network.name, job.network.width, job.network.depth, data.shape, data.classes, generator,
        dropout=job.network.dropout, skip=job.network.skip,
    )  # fmt: skip
    row, right = {"n_test": len(test[1])}, []
    for when, state in (("before", before), ("after", after)):
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise InputError(f"smoothing {job.name}: {job.weights} are no weights of {job.network}") from error
        row[f"train_accuracy_{when}"] = percent(evaluate(network, *train)[1], train[1])
        predicted = evaluate(network, *test)[1]
        row[f"accuracy_{when}"] = percent(predicted, test[1])
        right.append(predicted == test[1])
        count = int(right[-1].sum())
        share = (count + 1) / (len(test[1]) + 2)
        row[f"accuracy_{when}_stderr"] = 100 * (share * (1 - share) / (len(test[1]) + 2)) ** 0.5
    gained, lost = (int((a & ~b).sum()) + 0.5 for a, b in (right[::-1], right))
    n = len(test[1]) + 2
    row["accuracy_change"] = row["accuracy_after"] - row["accuracy_before"]
    row["accuracy_change_stderr"] = 100 * (gained + lost - (gained - lost) ** 2 / n) ** 0.5 / n
    return row


def provenance(job: SmoothModelJob, origin: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """What the header says of the new weights, beside what it says of the old ones."""
    source = f"measured on {row['n_test']} test images of {job.dataset.name}" if "n_test" in row else None
    return {
        "model": job.name,
        "source": "smoothed",
        "origin": f"{origin.get('model')}, smoothed",
        "sha256": None,
        "accuracy": row.get("accuracy_after"),
        "accuracy_stderr": row.get("accuracy_after_stderr"),
        "accuracy_source": source,
        "train_accuracy": row.get("train_accuracy_after"),
        "smoothing": {
            "of": origin.get("model"),
            "sha256": hashlib.sha256(Path(job.weights).read_bytes()).hexdigest(),
            "convolution": job.convolution.value,
            "layers": list(job.layers),
            **{key: row[key] for key in ("method", "rank", "invert", "kept_parameters")},
        },
    }


if __name__ == "__main__":
    main()
