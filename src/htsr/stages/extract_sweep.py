"""Turn the weights of a sweep's networks over time into matrices, one at a time, and list them.

In, one file a network in the order of `networks`: weights over time (`states`, safetensors of train_model). Out:
matrices named <network>/<epoch>/<layer> (`layers`, safetensors) and one row for each spectrum-to-be (`listing`, CSV):
    distance    |W - W_0|_F / |W_0|_F from the initial weights W_0
    final       whether this is the network's last state
    depth       number of layers with weights, also those too small to be measured
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import MISSING

from htsr.config import ExtractLayers
from htsr.errors import InputError
from htsr.files import write_arrays, write_table
from htsr.metrics.averages import depth
from htsr.models.layers import matrices
from htsr.models.weights import read_weights
from htsr.stage import stage

log = logging.getLogger("htsr.extract_sweep")

COLUMNS = ["layer", "network", "epoch", "final", "name", "depth", "distance"]


@dataclass
class ExtractSweepJob(ExtractLayers):
    sweep: str = MISSING
    networks: list[str] = MISSING
    states: list[str] = MISSING
    layers: str = MISSING
    listing: str = MISSING


@stage(ExtractSweepJob)
def main(job: ExtractSweepJob) -> None:
    if len(job.networks) != len(job.states):
        raise InputError(f"sweep {job.sweep}: {len(job.networks)} networks, but {len(job.states)} files of weights")
    header = {"model": job.sweep, "origin": "trained", "convolution": job.convolution.value, "matrices": {}}
    rows: dict[str, dict[str, Any]] = {}

    def arrays() -> Iterator[tuple[str, np.ndarray]]:
        for network, path in zip(job.networks, job.states, strict=True):
            before = len(header["matrices"])
            for epoch, name, matrix, start, info, about in over_time(path, job):
                prefix = f"{network}/{epoch}"
                pool = f"{prefix}/{info['pool']}"
                header["matrices"][f"{prefix}/{name}"] = info | {"pool": pool}
                row = rows.setdefault(
                    pool, {"network": network, "epoch": epoch, "name": info["pool"], **about, "moved": 0.0, "at": 0.0}
                )
                row["moved"] += np.square(matrix - start, dtype=np.float64).sum()
                row["at"] += np.square(start, dtype=np.float64).sum()
                yield f"{prefix}/{name}", matrix
            log.info("%s: %d matrices", network, len(header["matrices"]) - before)

    write_arrays(job.layers, arrays(), header)
    table = pd.DataFrame([{"layer": layer, **row} for layer, row in rows.items()], columns=[*COLUMNS, "moved", "at"])
    table["distance"] = np.sqrt(table["moved"].astype(float) / table["at"].astype(float).replace(0, np.nan))
    if not rows:
        log.warning("%s: no weight gives a matrix: is min_size=%d too large?", job.sweep, job.min_size)
    write_table(job.listing, table[COLUMNS])


def over_time(path: str, job: ExtractSweepJob) -> Iterator[tuple[int, str, np.ndarray, np.ndarray, dict, dict]]:
    """Every matrix of every state: epoch, name, matrix, the same at epoch 0, what is known of it, and of the state."""
    tensors, origin = read_weights(path)
    if "epochs" not in origin or 0 not in origin["epochs"]:
        raise InputError(f"{path}: its header lists no epochs from 0 on: was it made by train_model?")
    how = (job.convolution.value, job.min_size, origin.get("layers"), origin.get("tied"))

    def found(epoch: int) -> tuple[Iterator[tuple[str, np.ndarray, dict[str, Any]]], list[dict[str, Any]]]:
        state = {key.partition("/")[2]: t for key, t in tensors.items() if key.partition("/")[0] == str(epoch)}
        return matrices(state, *how)

    for epoch in origin["epochs"]:
        starts, listing = found(0)
        about = {"final": epoch == origin["final_epoch"], "depth": depth(pd.DataFrame(listing))}
        for (_, start, _), (name, matrix, info) in zip(starts, found(epoch)[0], strict=True):
            yield epoch, name, matrix, start, info, about


if __name__ == "__main__":
    main()
