"""Draw loss and accuracy in the course of training, series by series."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.errors import InputError
from htsr.figures import style, training_curves
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_training_curves")


@dataclass
class PlotTrainingCurvesJob:
    """histories: train_model/{model}.csv of trained models; of each its printed name (models) and series."""

    histories: list[str] = MISSING
    models: list[str] = MISSING
    series: list[str] = MISSING
    titles: dict[str, str] = field(default_factory=dict)  # printed names of the series
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotTrainingCurvesJob)
def main(job: PlotTrainingCurvesJob) -> None:
    if not len(job.histories) == len(job.models) == len(job.series):
        raise InputError(
            "plot_training_curves: histories, models and series are lists of one length: one entry a model"
        )
    histories = [read_table(path) for path in job.histories]
    figure, drawn = training_curves.draw(histories, job.models, job.series, job.titles)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d histories", len(histories))


if __name__ == "__main__":
    main()
