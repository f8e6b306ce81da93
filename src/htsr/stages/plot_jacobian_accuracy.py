"""Draw test accuracy and generalization gap against measures of the Jacobian, and compare these with the weights'."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import jacobian_accuracy, style
from htsr.files import read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_accuracy")


@dataclass
class PlotJacobianAccuracyJob:
    """jacobians: of collect_jacobians. networks: collect_metrics/{series}.csv and collect_sweep/{sweep}_networks.csv;
    regressions, sweep_regressions: of regress_accuracy over series and over sweeps, null for none. titles: printed
    names of series and sweeps. dataset: name of the images.
    """

    jacobians: str = MISSING
    networks: list[str] = MISSING
    regressions: str | None = None
    sweep_regressions: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianAccuracyJob)
def main(job: PlotJacobianAccuracyJob) -> None:
    networks = read_tables(job.networks)
    paths = {"series": job.regressions, "sweeps": job.sweep_regressions}
    regressions = {kind: read_table(path) for kind, path in paths.items() if path}
    figure, drawn = jacobian_accuracy.draw(read_table(job.jacobians), networks, regressions, job.titles, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", drawn["model"].nunique())


if __name__ == "__main__":
    main()
