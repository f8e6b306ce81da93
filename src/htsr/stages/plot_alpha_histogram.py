"""Draw the exponents of all matrices, series by series, beside those of the permuted matrices."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import alpha_histogram, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_alpha_histogram")


@dataclass
class PlotAlphaHistogramJob:
    """layers: collect_metrics/{series}_layers.csv of every series."""

    layers: list[str] = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotAlphaHistogramJob)
def main(job: PlotAlphaHistogramJob) -> None:
    layers = read_tables(job.layers)
    figure, drawn = alpha_histogram.draw(layers, job.titles)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d exponents", layers["alpha"].notna().sum())


if __name__ == "__main__":
    main()
