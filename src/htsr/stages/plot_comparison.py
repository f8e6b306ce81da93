"""Draw largest eigenvalue and exponent of every layer of one network: dense, regularized and fine-tuned."""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import Comparison
from htsr.errors import InputError
from htsr.figures import comparison, style
from htsr.files import read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_comparison")


@dataclass
class PlotComparisonJob(Comparison):
    """layers: collect_metrics/{series}_layers.csv of the series that hold the compared models."""

    layers: list[str] = MISSING
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotComparisonJob)
def main(job: PlotComparisonJob) -> None:
    layers = read_tables(job.layers)
    named = {"dense": job.dense, "regularized": job.regularized, "fine-tuned": job.finetuned}
    roles = {role: model for role, model in named.items() if model is not None}
    absent = [model for model in roles.values() if model not in set(layers["model"])]
    if absent or not roles:
        raise InputError(f"comparison: model {(absent or ['none'])[0]!r} is in none of {', '.join(job.layers)}")
    figure, drawn = comparison.draw(layers, roles, job.normalization)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d layers", drawn["layer"].nunique())


if __name__ == "__main__":
    main()
