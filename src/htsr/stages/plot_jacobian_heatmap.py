"""Draw correlations between the Jacobians of examples, ordered by class."""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.figures import jacobian_heatmap, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_heatmap")


@dataclass
class PlotJacobianHeatmapJob:
    """jacobians: of collect_jacobians. networks: collect_metrics/{series}.csv or collect_sweep/{sweep}_networks.csv,
    and details: compute_jacobian/*_detail.safetensors, of the series and sweeps with networks in detail. dataset: name
    of the images.
    """

    jacobians: str = MISSING
    networks: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    dataset: str = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotJacobianHeatmapJob)
def main(job: PlotJacobianHeatmapJob) -> None:
    networks = [read_table(path) for path in job.networks]
    networks = pd.concat(networks, ignore_index=True) if networks else pd.DataFrame(columns=["model"])
    details = [Arrays(path) for path in job.details]
    figure, drawn = jacobian_heatmap.draw(read_table(job.jacobians), networks, details, job.dataset)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d numbers", len(drawn))


if __name__ == "__main__":
    main()
