"""Draw measures of Jacobians against the batch size of training."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.config import RegressAccuracy
from htsr.figures import jacobian_batch_size, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_batch_size")


@dataclass
class PlotJacobianBatchSizeJob(RegressAccuracy):
    """jacobians: of collect_jacobians. networks: collect_sweep/{sweep}_networks.csv of one sweep; axes: settings it
    varies. dataset: name of the images. Intervals of rank correlations as in regress_accuracy.
    """

    jacobians: str = MISSING
    networks: str = MISSING
    axes: list[str] = field(default_factory=list)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianBatchSizeJob)
def main(job: PlotJacobianBatchSizeJob) -> None:
    networks = read_table(job.networks)
    how = {"resamples": job.resamples, "level": job.level, "seed": job.seed}
    figure, drawn = jacobian_batch_size.draw(read_table(job.jacobians), networks, job.axes, job.dataset, **how)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["network"].nunique())


if __name__ == "__main__":
    main()
