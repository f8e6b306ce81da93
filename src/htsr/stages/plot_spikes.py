"""Draw signals in Gaussian noise: positions of their eigenvalues, and overlaps of their singular vectors.

The overlaps are simulated here, for the shape and the strengths of the sampled matrices with one signal.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from omegaconf import MISSING
from scipy.linalg import eigh

from htsr.config import PlotSpikes
from htsr.errors import InputError
from htsr.figures import spikes, style
from htsr.files import Arrays, read_table
from htsr.spectra.permutation import generator
from htsr.stage import stage
from htsr.statistics.samples import one_signal, prepare, select

log = logging.getLogger("htsr.plot_spikes")


@dataclass
class PlotSpikesJob(PlotSpikes):
    """ensembles: collect_ensembles/ensembles.csv. spectra: sample_ensemble/{ensemble}.safetensors of every ensemble."""

    ensembles: str = MISSING
    spectra: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


def overlaps(n: int, m: int, strength: float, rng: np.random.Generator) -> tuple[float, float]:
    """Squared inner products of the planted singular vectors with the first ones found, of lengths n and m.

    strength: in multiples of the threshold. The signal's vectors are the first unit vectors: Gaussian noise is the
    same in every basis.
    """
    w = rng.standard_normal((n, m))
    w[0, 0] += strength * (n * m) ** 0.25
    value, right = eigh(w.T @ w, subset_by_index=[m - 1, m - 1])
    left = w[0] @ right[:, 0] / np.sqrt(value[0])
    return float(left**2), float(right[0, 0] ** 2)


@stage(PlotSpikesJob)
def main(job: PlotSpikesJob) -> None:
    if job.overlap_samples < 1:
        raise InputError("plot_spikes: overlap_samples must be at least 1")
    table = read_table(job.ensembles)
    simulated = []
    single = one_signal(select(prepare(table), "spiked"))
    for (n, m, strength), _ in single.groupby(["n", "m", "strength"]):
        for i in range(job.overlap_samples):
            left, right = overlaps(n, m, strength, generator(job.seed, f"overlap[n={n},m={m},{strength=},sample={i}]"))
            simulated.append({"strength": strength, "sample": i, "left": left, "right": right})
    spectra = {arrays.header["ensemble"]: arrays for arrays in map(Arrays, job.spectra)}
    figure, drawn = spikes.draw(table, spectra, pd.DataFrame(simulated, columns=spikes.OVERLAPS))
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d matrices with one signal, simulated %d overlaps", len(single), len(simulated))


if __name__ == "__main__":
    main()
