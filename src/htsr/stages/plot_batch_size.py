"""Draw ranks, exponents, accuracies and phases against the batch size of training."""

import logging
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from htsr.figures import batch_size, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_batch_size")


@dataclass
class PlotBatchSizeJob:
    """sweep, networks: collect_sweep/{sweep}.csv and {sweep}_networks.csv of one sweep; axes: settings that it varies.
    published: lists of numbers to draw beside ours, `batch_size` and columns of the sweep's table, accuracies in
    percent; empty for none.
    """

    sweep: str = MISSING
    networks: str = MISSING
    axes: list[str] = field(default_factory=list)
    published: dict[str, Any] = field(default_factory=dict)
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotBatchSizeJob)
def main(job: PlotBatchSizeJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = batch_size.draw(read_table(job.sweep), networks, job.axes, job.normalization, job.published)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", networks["model"].nunique())


if __name__ == "__main__":
    main()
