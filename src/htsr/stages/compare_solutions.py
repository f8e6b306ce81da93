"""Compare pairs of trained networks: their weights, their features, and what they predict.

In: `names` of networks with files of their weights (`weights`, safetensors of train_model or download_model), and
images (`images`, safetensors of download_dataset). Out (`similarities`, CSV): one row a pair:
    distance, relative_distance, cosine     of the weights of two or more dimensions, where both networks have the same;
                                            cosine_null, cosine_null_std: entries permuted within each tensor
    cka_logits, cka_features                debiased linear CKA of the outputs, and of what the last layer sees
    agreement, expected_agreement, excess   share of examples with the same prediction, that by the accuracies alone,
                                            and the difference
The last five have _stderr, _low and _high over examples.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING

from htsr.config import CompareSolutions
from htsr.errors import InputError
from htsr.files import write_table
from htsr.landscape.similarity import functional_similarity, outputs, weight_similarity
from htsr.networks.trained import Trained, examples, load_trained
from htsr.spectra.permutation import generator
from htsr.stage import stage

log = logging.getLogger("htsr.compare_solutions")


@dataclass
class CompareSolutionsJob(CompareSolutions):
    """pairs: {name: [first, second]}, of `names`."""

    name: str = MISSING
    pairs: dict[str, list[str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    images: str = MISSING
    similarities: str = MISSING


@stage(CompareSolutionsJob)
def main(job: CompareSolutionsJob) -> None:
    torch.set_num_threads(job.threads)
    try:
        check(job)
        networks = {
            name: load_trained(weights, job.images) for name, weights in zip(job.names, job.weights, strict=True)
        }
        rows = [{"pair": pair} | compared(job, pair, networks) for pair in job.pairs]
    except InputError as error:
        raise InputError(f"solutions {job.name}: {error}") from error
    write_table(job.similarities, rows, None if rows else ["pair"])


def check(job: CompareSolutionsJob) -> None:
    """Raises InputError for a setting that makes no sense."""
    if len(job.names) != len(job.weights):
        raise InputError(f"{len(job.names)} names, but {len(job.weights)} weights")
    for pair, names in job.pairs.items():
        if len(names) != 2 or not set(names) <= set(job.names):
            raise InputError(f"pair {pair!r}: {names} are not two of the given networks")
    if job.examples < 8 or job.resamples < 0 or not 0 < job.level < 1:
        raise InputError("examples must be 8 or more, resamples not negative, level between 0 and 1")


def compared(job: CompareSolutionsJob, pair: str, networks: dict[str, Trained]) -> dict[str, Any]:
    """The row of one pair."""
    first, second = (networks[name] for name in job.pairs[pair])
    part = job.part.value
    count = min(job.examples, *(len(getattr(own.data, f"{part}_labels")) for own in (first, second)))
    data = [examples(own, part, count, job.seed) for own in (first, second)]
    if not np.array_equal(data[0].images, data[1].images):
        raise InputError(f"pair {pair!r}: the two see different images ({part}): choose networks of the same data")
    row = {"first": job.pairs[pair][0], "second": job.pairs[pair][1], "part": part, "n_examples": count}
    weights = [{key: t.numpy() for key, t in own.network.state_dict().items() if t.ndim > 1} for own in (first, second)]
    if {key: t.shape for key, t in weights[0].items()} == {key: t.shape for key, t in weights[1].items()}:
        found = weight_similarity(*weights)
        row |= {"distance": found.distance, "relative_distance": found.relative_distance, "cosine": found.cosine}
        row |= {"cosine_null": found.null, "cosine_null_std": found.null_std}
    seen = [outputs(own.network, data[0].images) for own in (first, second)]
    if not all(np.isfinite(array).all() for own in seen for array in own):
        return row | {"status": "outputs are not finite"}
    similar = functional_similarity(
        *seen, data[0].true_labels, job.resamples, generator(job.seed, pair), level=job.level
    )
    for name, value in similar.items():
        row |= {name: value.value, f"{name}_stderr": value.stderr, f"{name}_low": value.low, f"{name}_high": value.high}
    log.info("%s: cosine %s, agreement %.3f", pair, row.get("cosine"), row["agreement"])
    return row | {"status": "ok"}


if __name__ == "__main__":
    main()
