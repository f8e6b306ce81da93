"""Collect the spectra of all ensembles: listing, tail fits and measures side by side, one row a spectrum.

In, one file an ensemble in the order of `names`: `listings`, `fits`, `measures` (CSV). Out: `table` (CSV), where the
phase that an ensemble stands for is `expected_phase` and the measured one `phase`.
"""

import logging
from dataclasses import dataclass

import pandas as pd
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.files import read_table, write_table
from htsr.metrics.averages import join_layers
from htsr.stage import stage

log = logging.getLogger("htsr.collect_ensembles")


@dataclass
class CollectEnsemblesJob:
    names: list[str] = MISSING
    listings: list[str] = MISSING
    fits: list[str] = MISSING
    measures: list[str] = MISSING
    table: str = MISSING


@stage(CollectEnsemblesJob)
def main(job: CollectEnsemblesJob) -> None:
    for key in ("listings", "fits", "measures"):
        if len(getattr(job, key)) != len(job.names):
            raise InputError(f"collect_ensembles: {len(job.names)} names, but {len(getattr(job, key))} {key}")
    tables = []
    for name, listing, fits, measures in zip(job.names, job.listings, job.fits, job.measures, strict=True):
        own = read_table(listing).rename(columns={"phase": "expected_phase"})
        try:
            layers = join_layers(read_table(fits), read_table(measures))
        except InputError as error:
            raise InputError(f"ensemble {name!r}: {error}") from error
        if own["layer"].tolist() != layers["layer"].tolist():
            raise InputError(f"{listing}: its spectra are not those of {fits}: make both anew")
        own.insert(0, "ensemble", name)
        tables.append(pd.concat([own, layers.drop(columns=["layer", "weight_layer", "kind", "n", "m"])], axis=1))
        log.info("%s: %d spectra, %d failed", name, len(own), (layers["status"] != "ok").sum())
    write_table(job.table, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    main()
