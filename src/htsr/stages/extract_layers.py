"""Turn a model's weights into matrices, one at a time, and list every weight with what became of it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from omegaconf import MISSING

from htsr.config import ExtractLayers
from htsr.files import write_arrays, write_table
from htsr.models.layers import matrices
from htsr.models.weights import read_weights
from htsr.stage import stage

log = logging.getLogger("htsr.extract_layers")

COLUMNS = ["layer", "kind", "shape", "n_matrices", "status"]
COPIED = ("model", "origin", "sha256", "accuracy", "accuracy_source", "train_accuracy", "n_parameters")


@dataclass
class ExtractLayersJob(ExtractLayers):
    weights: str = MISSING
    layers: str = MISSING
    listing: str = MISSING


@stage(ExtractLayersJob)
def main(job: ExtractLayersJob) -> None:
    state, origin = read_weights(job.weights)
    found, listing = matrices(state, job.convolution.value, job.min_size, origin.get("layers"), origin.get("tied"))
    header = {key: origin.get(key) for key in COPIED}
    header |= {"convolution": job.convolution.value, "matrices": {}}

    def arrays() -> Iterator[tuple[str, np.ndarray]]:
        for name, matrix, info in found:
            header["matrices"][name] = info
            yield name, matrix

    write_arrays(job.layers, arrays(), header)
    write_table(job.listing, listing, COLUMNS)
    used = [row["layer"] for row in listing if row["status"] == "ok"]
    vectors = sum(len(tensor.shape) < 2 for tensor in state.values())
    log.info("%s: %d matrices of %d weights", origin.get("model"), len(header["matrices"]), len(used))
    log.info("%d weights skipped, %d biases, norms and the like", len(listing) - len(used), vectors)
    if not used:
        log.warning("%s: no weight gives a matrix: is min_size=%d too large?", job.weights, job.min_size)


if __name__ == "__main__":
    main()
