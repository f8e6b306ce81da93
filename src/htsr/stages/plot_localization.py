"""Draw how localized the singular vectors of selected layers are, and those of bulk and spikes over all layers."""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.config import PlotEsd
from htsr.errors import InputError
from htsr.figures import localization, style
from htsr.files import Arrays, read_table, read_tables
from htsr.stage import stage

log = logging.getLogger("htsr.plot_localization")


@dataclass
class PlotLocalizationJob(PlotEsd):
    """Of each shown model its printed name, vectors file and table of measure_vectors; tables: those of all models."""

    names: list[str] = MISSING
    vectors: list[str] = MISSING
    shown: list[str] = MISSING
    tables: list[str] = MISSING
    normalization: str = MISSING  # of the eigenvalues
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


@stage(PlotLocalizationJob)
def main(job: PlotLocalizationJob) -> None:
    if not len(job.names) == len(job.vectors) == len(job.shown):
        raise InputError("plot_localization: names, vectors and shown are lists of one length: one entry a model")
    shown = []
    for name, vectors, path in zip(job.names, job.vectors, job.shown, strict=True):
        arrays = Arrays(vectors)
        for layer in localization.choose(read_table(path), job.layers_per_model):
            if layer not in arrays:
                raise InputError(f"{vectors}: no vectors of {layer!r}, which {path} has: make both anew")
            detail = pd.DataFrame(arrays[layer], columns=arrays.header["columns"])
            shown.append(localization.Shown(name, layer, arrays.header["spectra"][layer], detail))
    table = read_tables(job.tables)
    figure, drawn = localization.draw(shown, table, job.normalization)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %s", ", ".join(f"{item.model} {item.layer}" for item in shown))


if __name__ == "__main__":
    main()
