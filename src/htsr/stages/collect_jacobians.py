"""Collect the Jacobians of all series and sweeps: states of networks, tail fits and measures, one row a spectrum.

In, one file a series or sweep in the order of `names`: `listings` (CSV of compute_jacobian), `fits`, `measures` (CSV).
Out: `table` (CSV). A state without a spectrum has one row with its status.
"""

import logging
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.files import read_table, write_table
from htsr.metrics.averages import join_layers
from htsr.stage import stage

log = logging.getLogger("htsr.collect_jacobians")


@dataclass
class CollectJacobiansJob:
    names: list[str] = field(default_factory=list)
    listings: list[str] = MISSING
    fits: list[str] = MISSING
    measures: list[str] = MISSING
    table: str = MISSING


@stage(CollectJacobiansJob)
def main(job: CollectJacobiansJob) -> None:
    tables = []
    for name, listing, fits, measures in zip(job.names, job.listings, job.fits, job.measures, strict=True):
        states = read_table(listing).rename(columns={"status": "state_status"})
        states.insert(0, "collection", name)
        try:
            spectra = join_layers(read_table(fits), read_table(measures))
        except InputError as error:
            raise InputError(f"Jacobians of {name!r}: {error}") from error
        split = spectra.pop("layer").astype(str).str.rpartition("/")
        spectra = spectra.drop(columns=["weight_layer", "kind"]).assign(prefix=split[0], spectrum=split[2])
        unknown = set(spectra["prefix"]) - set(states["prefix"])
        if unknown:
            raise InputError(f"{listing}: does not list {min(unknown)!r} of {fits}: make both anew")
        own = states.merge(spectra, on="prefix", how="left").drop(columns="prefix")
        own["status"] = own["status"].where(own["state_status"] == "ok", own["state_status"])
        tables.append(own.drop(columns="state_status"))
        log.info("%s: %d states, %d spectra, %d failed", name, len(states), len(spectra), (own["status"] != "ok").sum())
    write_table(job.table, pd.concat(tables, ignore_index=True))


if __name__ == "__main__":
    main()
