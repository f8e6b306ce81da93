"""Draw what the diagonal and the correlations make of the spectra of Jacobians."""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.figures import jacobian_diagonal, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_diagonal")


@dataclass
class PlotJacobianDiagonalJob:
    """jacobians: of collect_jacobians. networks: collect_metrics/{series}.csv or collect_sweep/{sweep}_networks.csv,
    and spectra: compute_jacobian/*.safetensors, of the series and sweeps with networks in detail. dataset: name of the
    images. titles: printed names of series and sweeps.
    """

    jacobians: str = MISSING
    networks: list[str] = field(default_factory=list)
    spectra: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianDiagonalJob)
def main(job: PlotJacobianDiagonalJob) -> None:
    networks = [read_table(path) for path in job.networks]
    networks = pd.concat(networks, ignore_index=True) if networks else pd.DataFrame(columns=["model"])
    spectra = [Arrays(path) for path in job.spectra]
    figure, drawn = jacobian_diagonal.draw(read_table(job.jacobians), networks, spectra, job.titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d numbers", len(drawn))


if __name__ == "__main__":
    main()
