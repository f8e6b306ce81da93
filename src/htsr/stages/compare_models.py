"""Compare two models matrix by matrix: spectra, weights, spaces of the largest singular vectors, representations.

In: matrices of both (`first`, `second`, safetensors of extract_layers), read one at a time. Out: one row a matrix
(`comparison`, CSV), also for those that only one model has. Every distance stands beside its value of chance.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import MISSING

from htsr.config import CompareModels
from htsr.errors import InputError
from htsr.files import Arrays, write_table
from htsr.spectra import distances, similarity
from htsr.spectra.distances import UNKNOWN, Calibrated
from htsr.spectra.marchenko_pastur import fit_bulk
from htsr.spectra.permutation import generator
from htsr.spectra.vectors import singular_vectors
from htsr.stage import stage

log = logging.getLogger("htsr.compare_models")

SIMILARITIES = ("cka", "cca", "svcca", "pwcca")
CALIBRATED = ("log_wasserstein", "spectra_ks", "overlap_right", "overlap_left", *SIMILARITIES)
COLUMNS = [
    *("first", "second", "layer", "kind", "n", "m", "relative_distance", "cosine", "cosine_z", "subspace"),
    *("angle_right_min", "angle_right_max", "angle_left_min", "angle_left_max", "n_examples"),
    *(f"{name}{suffix}" for name in CALIBRATED for suffix in ("", "_null", "_z", "_p")),
    "status",
]
_ROWS_ARE_INPUTS = ("hf_conv1d", "embedding", "conv_transpose")


@dataclass
class CompareModelsJob(CompareModels):
    """spike_level: the setting of measure_layers."""

    spike_level: float = 0.99
    first: str = MISSING
    second: str = MISSING
    comparison: str = MISSING


@stage(CompareModelsJob)
def main(job: CompareModelsJob) -> None:
    for key in ("permutations", "subspace", "seed"):
        if getattr(job, key) < 0:
            raise InputError(f"compare_models.{key} is {getattr(job, key)}: it must not be negative")
    for key in ("variance", "spike_level"):
        if not 0 < getattr(job, key) <= 1:
            raise InputError(f"compare_models.{key} is {getattr(job, key)}: it must lie between 0 and 1")
    if job.examples < 4:
        raise InputError(f"compare_models.examples is {job.examples}: a similarity needs 4")
    models = [Arrays(path) for path in (job.first, job.second)]
    for arrays in models:
        if "matrices" not in arrays.header:
            raise InputError(f"{arrays.path}: its header lists no matrices: was it made by extract_layers?")
    names = dict(zip(("first", "second"), (arrays.header.get("model") for arrays in models), strict=True))
    rows = []
    for layer in dict.fromkeys([*models[0].header["matrices"], *models[1].header["matrices"]]):
        found = [layer in arrays for arrays in models]
        info = models[0 if found[0] else 1].header["matrices"][layer]
        row = {**names, "layer": layer, "kind": info["kind"]}
        if not all(found):
            row["status"] = f"only in the {'first' if found[0] else 'second'} model"
        else:
            row |= compare(layer, info, *(arrays[layer] for arrays in models), job)
        log.info("%s: %s", layer, row["status"])
        rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_table(job.comparison, table.astype(dict.fromkeys(("n", "m", "subspace", "n_examples"), "Int64")))
    if not (table["status"] == "ok").any():
        log.warning("no matrix of %s could be compared with one of %s", job.first, job.second)


def compare(
    layer: str, info: dict[str, Any], first: np.ndarray, second: np.ndarray, job: CompareModelsJob
) -> dict[str, Any]:
    """The columns of one matrix; W is N x M with N >= M, `right` vectors have length M, `left` ones N."""
    row: dict[str, Any] = {"n": max(first.shape), "m": min(first.shape)}
    if first.shape != second.shape:
        return row | {"status": f"shapes {first.shape} and {second.shape}"}
    try:
        bases = [singular_vectors(w if w.shape[0] >= w.shape[1] else w.T) for w in (first, second)]
    except (ValueError, np.linalg.LinAlgError) as error:
        return row | {"status": str(error)}
    if not all(basis.values[-1] > 0 for basis in bases):
        return row | {"status": "all eigenvalues are zero"}
    cosine = distances.cosine(first, second)
    row |= {"relative_distance": distances.relative_distance(first, second), "cosine": cosine}
    row["cosine_z"] = cosine * first.size**0.5
    found: dict[str, Calibrated] = {}
    found["log_wasserstein"], found["spectra_ks"] = distances.spectral_distances(
        *(basis.values**2 for basis in bases), job.permutations, generator(job.seed, f"spectra {layer}")
    )
    k = job.subspace or min(spikes(basis.values, row["n"], job.spike_level) for basis in bases)
    k = min(k, *(np.count_nonzero(basis.values) for basis in bases))
    row["subspace"] = k
    for side in ("right", "left"):
        spans = [getattr(basis, side)[:, row["m"] - k :] for basis in bases]
        found[f"overlap_{side}"] = distances.subspace_overlap(*spans)
        if k:
            angles = np.degrees(distances.principal_angles(*spans))
            row |= {f"angle_{side}_min": angles[0], f"angle_{side}_max": angles[-1]}
    x, y = (w if info["kind"].startswith(_ROWS_ARE_INPUTS) else w.T for w in (first, second))
    rng = generator(job.seed, f"rows {layer}")
    if len(x) > job.examples:
        rows = rng.choice(len(x), job.examples, replace=False)
        x, y = x[rows], y[rows]
    row["n_examples"] = len(x)
    found |= similarity.similarities(x, y, job.permutations, rng, job.variance)
    for name in CALIBRATED:
        item = found.get(name, UNKNOWN)
        row |= {name: item.value, f"{name}_null": item.null, f"{name}_z": item.z, f"{name}_p": item.p}
    return row | {"status": "ok"}


def spikes(values: np.ndarray, n: int, level: float) -> int:
    """Number of singular values beyond the edge of the bulk; 0 where there is no bulk."""
    bulk = fit_bulk(values**2 / n, n, level=level)
    return 0 if bulk is None else bulk.n_spikes


if __name__ == "__main__":
    main()
