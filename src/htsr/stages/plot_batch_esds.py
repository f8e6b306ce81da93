"""Draw the spectrum of one layer after training with each batch size."""

import logging
from dataclasses import dataclass, field

from omegaconf import MISSING

from htsr.figures import batch_esds, style
from htsr.files import Arrays, read_table
from htsr.stage import stage

log = logging.getLogger("htsr.plot_batch_esds")


@dataclass
class PlotBatchEsdsJob:
    """sweep, networks: collect_sweep/{sweep}.csv and {sweep}_networks.csv of one sweep; axes: settings that it varies.
    spectra: compute_esd/{sweep}.safetensors. layer: null for the largest fully connected one. spike_level: that of
    measure_layers.
    """

    sweep: str = MISSING
    networks: str = MISSING
    spectra: str = MISSING
    axes: list[str] = field(default_factory=list)
    layer: str | None = None
    spike_level: float = MISSING
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotBatchEsdsJob)
def main(job: PlotBatchEsdsJob) -> None:
    networks = read_table(job.networks)
    figure, drawn = batch_esds.draw(
        read_table(job.sweep), networks, job.axes, Arrays(job.spectra), job.layer, job.spike_level
    )
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d networks", networks["model"].nunique())


if __name__ == "__main__":
    main()
