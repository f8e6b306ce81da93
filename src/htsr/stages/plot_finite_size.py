"""Draw the fitted exponent of heavy-tailed random matrices against that of their entries, for several sizes."""

import logging
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from htsr.figures import finite_size, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_finite_size")


@dataclass
class PlotFiniteSizeJob:
    """ensembles: collect_ensembles/ensembles.csv."""

    ensembles: str = MISSING
    published: dict[str, Any] = field(default_factory=dict)  # config/published
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotFiniteSizeJob)
def main(job: PlotFiniteSizeJob) -> None:
    figure, drawn = finite_size.draw(read_table(job.ensembles), job.published.get("lines", {}))
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d points", len(drawn))


if __name__ == "__main__":
    main()
