"""Collect loss surfaces: the points of all sets, tiles joined, the places of networks on them, and their measures.

In: tables of evaluate_surface (`points`, `checkpoints`, CSV), one for each tile of each set. Out: all points (`table`,
CSV), the places of other networks (`places`, CSV), and one row a surface and network (`summary`, CSV), as
`htsr.landscape.convexity.summarize` gives it.
"""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.files import read_table, write_table
from htsr.landscape.convexity import summarize
from htsr.landscape.grid import join
from htsr.stage import stage

log = logging.getLogger("htsr.collect_surfaces")


@dataclass
class CollectSurfacesJob:
    points: list[str] = MISSING
    checkpoints: list[str] = MISSING
    table: str = MISSING
    places: str = MISSING
    summary: str = MISSING


@stage(CollectSurfacesJob)
def main(job: CollectSurfacesJob) -> None:
    tables = [read_table(path) for path in job.points]
    rows = join(table.astype(object).where(table.notna(), None).to_dict("records") for table in tables)
    summary = summarize(rows)
    places = [table for table in map(read_table, job.checkpoints) if len(table)]
    write_table(job.table, pd.DataFrame(rows, columns=list(tables[0])))
    write_table(job.places, pd.concat(places) if places else read_table(job.checkpoints[0]))
    write_table(job.summary, summary)
    log.info("%d surfaces, %d points", len(summary), len(rows))


if __name__ == "__main__":
    main()
