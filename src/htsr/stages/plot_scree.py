"""Draw singular values and spectral densities of one network before and after training."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import scree, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_scree")


@dataclass
class PlotScreeJob:
    """sweep, networks: collect_sweep/{sweep}.csv and {sweep}_networks.csv of one sweep; axes: settings that it varies.
    spectra: compute_esd/{sweep}.safetensors. network: null for the first one of the sweep.
    """

    sweep: str = MISSING
    networks: str = MISSING
    spectra: str = MISSING
    axes: list[str] = field(default_factory=list)
    network: str | None = None
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotScreeJob)
def main(job: PlotScreeJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = scree.draw(read_table(job.sweep), networks, job.axes, Arrays(job.spectra), job.network)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d layers", drawn["panel"].nunique() // 2)


if __name__ == "__main__":
    main()
