"""Draw weighted alpha and norms against test accuracy, of models that others have measured."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import accuracy, style
from htsr.files import read_table, read_tables
from htsr.metrics.weightwatcher import NORMALIZATION
from htsr.stage import stage

log = logging.getLogger("htsr.plot_published_accuracy")

COLUMNS = ("alpha_weighted", "log_spectral_norm", "log_norm", "depth")


@dataclass
class PlotPublishedAccuracyJob:
    """metrics: collect_published/{published}.csv of every series; regressions: regress_accuracy/published.csv."""

    metrics: list[str] = MISSING
    regressions: str = MISSING
    published_titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotPublishedAccuracyJob)
def main(job: PlotPublishedAccuracyJob) -> None:
    metrics = read_tables(job.metrics)
    regressions = read_table(job.regressions)
    figure, drawn = accuracy.draw(metrics, regressions, COLUMNS, job.published_titles, NORMALIZATION, named=False)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d models", len(metrics))


if __name__ == "__main__":
    main()
