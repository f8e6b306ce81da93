"""Draw diagonals and measures of the Jacobians of networks trained on true and on random labels."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import jacobian_labels, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_labels")


@dataclass
class PlotJacobianLabelsJob:
    """jacobians: of collect_jacobians. networks: collect_sweep/{sweep}_networks.csv of one sweep; axes: settings it
    varies; spectra: its compute_jacobian/{sweep}.safetensors. dataset: name of the images.
    """

    jacobians: str = MISSING
    networks: str = MISSING
    spectra: str = MISSING
    axes: list[str] = field(default_factory=list)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianLabelsJob)
def main(job: PlotJacobianLabelsJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = jacobian_labels.draw(
        read_table(job.jacobians), networks, job.axes, Arrays(job.spectra), job.dataset
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
