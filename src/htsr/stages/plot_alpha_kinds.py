"""Draw the exponents of all matrices of the experiment, together and by kind of layer."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.figures import alpha_kinds, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_alpha_kinds")


@dataclass
class PlotAlphaKindsJob:
    """layers: collect_metrics/{series}_layers.csv of every series."""

    layers: list[str] = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotAlphaKindsJob)
def main(job: PlotAlphaKindsJob) -> None:
    layers = read_tables(job.layers)
    figure, drawn = alpha_kinds.draw(layers)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d exponents", layers["alpha"].notna().sum())


if __name__ == "__main__":
    main()
