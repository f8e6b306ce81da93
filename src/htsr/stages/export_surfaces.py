"""Write all surfaces of two dimensions as an interactive page and as files for ParaView.

In: the tables of collect_surfaces (`points`, `places`, `summary`, CSV). Out:
    html    one page that needs nothing but a browser: two surfaces side by side, to be turned, compared and read
    vtk     a zip archive: one structured grid (.vts) a surface, the networks and trainings marked on it (.vtp), and
            surfaces.vtm, which opens them all; see the README.txt in it
Points that a refinement added are shown on the finest grid, its other points interpolated between them and marked so.
"""

import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.figures.surface_page import render
from htsr.figures.surfaces import known as of_networks
from htsr.figures.surfaces import titles as titles_of
from htsr.files import read_table, read_tables, whole
from htsr.landscape.export import Plane, planes
from htsr.landscape.vtk import files
from htsr.stage import stage

log = logging.getLogger("htsr.export_surfaces")

FOLDER = "loss_surfaces"  # of the archive


@dataclass
class ExportSurfacesJob:
    """networks: collect_sweep/{sweep}_networks.csv and collect_metrics/{series}.csv, for the networks' names in words;
    axes: settings that each sweep varies. sets: the printed name of every surface's set; title: heading of the page.
    """

    points: str = MISSING
    places: str = MISSING
    summary: str = MISSING
    networks: list[str] = field(default_factory=list)
    axes: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    title: str = "Loss surfaces"
    html: str = MISSING
    vtk: str = MISSING


@stage(ExportSurfacesJob)
def main(job: ExportSurfacesJob) -> None:
    surfaces = planes(*(read_table(path) for path in (job.points, job.places, job.summary)))
    titles = names(surfaces, read_tables(job.networks), job.axes) if job.networks else {}
    with whole(job.html) as partial:
        partial.write_text(render(surfaces, job.sets, titles, job.title), encoding="utf-8")
    with whole(job.vtk) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, text in files(surfaces, titles).items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # of 1980, so that the bytes do not depend on the time
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, text.encode())
    log.info("%d surfaces", len(surfaces))


def names(surfaces: Sequence[Plane], networks: pd.DataFrame, axes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What the networks on the surfaces are called: as among those of the first surface that they appear on."""
    known, found = of_networks(networks), {}
    for surface in dict.fromkeys(own.about["surface"] for own in surfaces):
        shown = [own.about for own in surfaces if own.about["surface"] == surface]
        own = [about[key] for about in shown for key in ("network", "other", "third") if about[key] in known]
        found = titles_of(own, known, axes) | found
    return found


if __name__ == "__main__":
    main()
