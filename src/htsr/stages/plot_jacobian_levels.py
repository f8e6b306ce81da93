"""Draw spectra of Jacobians by softmax and by scores, centred, and scaled to correlations."""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.figures import jacobian_levels, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_levels")


@dataclass
class PlotJacobianLevelsJob:
    """jacobians: of collect_jacobians. networks: collect_metrics/{series}.csv or collect_sweep/{sweep}_networks.csv,
    and spectra: compute_jacobian/*.safetensors, of the series and sweeps with networks in detail. dataset: name of the
    images.
    """

    jacobians: str = MISSING
    networks: list[str] = field(default_factory=list)
    spectra: list[str] = field(default_factory=list)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianLevelsJob)
def main(job: PlotJacobianLevelsJob) -> None:
    networks = [read_table(path) for path in job.networks]
    networks = pd.concat(networks, ignore_index=True) if networks else pd.DataFrame(columns=["model"])
    spectra = [Arrays(path) for path in job.spectra]
    figure, drawn = jacobian_levels.draw(read_table(job.jacobians), networks, spectra, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d numbers", len(drawn))


if __name__ == "__main__":
    main()
