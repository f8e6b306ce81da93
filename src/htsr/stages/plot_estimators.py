"""Draw bias, spread and coverage of the estimators of a tail's exponent on samples of known exponent.

In: `validations` (CSV of validate_estimators).
"""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.figures import estimators, style
from htsr.files import read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_estimators")


@dataclass
class PlotEstimatorsJob:
    validations: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotEstimatorsJob)
def main(job: PlotEstimatorsJob) -> None:
    figure, drawn = estimators.draw(read_table(job.validations))
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d points", len(drawn))


if __name__ == "__main__":
    main()
