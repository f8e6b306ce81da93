"""Measure how localized the singular vectors of every matrix of a model are: spikes beside bulk, both beside chance.

In: matrices (`layers`, safetensors), read one at a time, and the measures of their spectra (`measures`, CSV), whose
number of spikes tells which vectors are spikes. Out: one row a spectrum (`table`, CSV), and the measures of every
vector (`vectors`, safetensors): for each spectrum one array, a row a vector, whose columns the header names.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import MISSING

from htsr.config import MeasureVectors
from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_arrays, write_table
from htsr.spectra import vectors
from htsr.spectra.permutation import generator
from htsr.stage import stage

log = logging.getLogger("htsr.measure_vectors")

SIDES = ("right", "left")
SHOWN = ("entropy", "localization", "participation")
OF_MEASURE = ("bulk", "bulk_stderr", "spikes", "spikes_stderr", "difference", "p", "null")
COLUMNS = (
    *("layer", "kind", "n", "m", "n_bulk", "n_spikes"),
    *(f"{measure}_{side}_{name}" for side in SIDES for measure in SHOWN for name in OF_MEASURE),
    *(f"porter_thomas_p_{side}" for side in SIDES),
    "status",
)
DETAIL = (
    "eigenvalue",
    "spike",
    *(f"{name}_{side}" for side in SIDES for name in (*vectors.MEASURES, "porter_thomas_p")),
)


@dataclass
class MeasureVectorsJob(MeasureVectors):
    layers: str = MISSING
    measures: str = MISSING
    table: str = MISSING
    vectors: str = MISSING


@stage(MeasureVectorsJob)
def main(job: MeasureVectorsJob) -> None:
    if job.seed < 0:
        raise InputError(f"measure_vectors.seed is {job.seed}: it must not be negative")
    arrays, measured = Arrays(job.layers), read_table(job.measures)
    if "matrices" not in arrays.header:
        raise InputError(f"{job.layers}: its header lists no matrices: was it made by extract_layers?")
    pools: dict[str, list[str]] = {}
    for name, entry in arrays.header["matrices"].items():
        pools.setdefault(entry["pool"], []).append(name)
    if list(pools) != measured["layer"].tolist():
        raise InputError(f"{job.measures}: its layers are not those of {job.layers}: make both from the same weights")
    header = {"model": arrays.header.get("model"), "columns": DETAIL, "spectra": {}}
    rows = []

    def details() -> Iterator[tuple[str, np.ndarray]]:
        for row in measured.to_dict("records"):
            found, detail = measure_spectrum([arrays[name] for name in pools[row["layer"]]], row, job.seed)
            rows.append({key: row[key] for key in ("layer", "kind", "n", "m")} | found)
            log.info("%s: %s", row["layer"], found["status"])
            if len(detail):
                header["spectra"][row["layer"]] = context(row)
                yield row["layer"], detail

    write_arrays(job.vectors, details(), header)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_table(job.table, table.astype({"n_bulk": "Int64", "n_spikes": "Int64"}))


def context(row: dict[str, Any]) -> dict[str, Any]:
    """What a figure needs beside the vectors: the edge of the bulk, and chance: mean and 95 % band of every measure."""
    chance = {}
    for side, size in zip(SIDES, (row["m"], row["n"]), strict=True):
        chance[side] = {name: vectors.haar(size).band(name) for name in vectors.MEASURES} if size > 1 else {}
    return {key: row[key] for key in ("kind", "n", "m", "lambda_plus", "n_spikes")} | {"haar": chance}


def measure_spectrum(matrices: list[np.ndarray], row: dict[str, Any], seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """The columns of one spectrum, and one row of DETAIL for each vector that its matrix determines.

    matrices: those of the spectrum. row: its measures. W is N x M with N >= M, so `right` are the eigenvectors of
    X = WᵀW (of length M) and `left` the longer ones. Spikes are the n_spikes largest eigenvalues of all matrices.
    """
    if row["status"] != "ok":
        return {"status": row["status"]}, np.empty((0, len(DETAIL)))
    if pd.isna(row["n_spikes"]):
        return {"status": "fewer than 10 non-zero eigenvalues: no bulk"}, np.empty((0, len(DETAIL)))
    details, bases = [], []
    try:
        for w in matrices:
            found = vectors.singular_vectors(w if w.shape[0] >= w.shape[1] else w.T)
            columns = {"square": found.values**2, "determined": found.determined}
            for side in SIDES:
                v = getattr(found, side)
                v = np.where(found.determined, v, 1.0)  # whatever stands for the others is left out below
                columns |= {f"{name}_{side}": values for name, values in vectors.measures(v).items()}
                columns[f"ks_{side}"] = vectors.ks_distances(v)
            details.append(pd.DataFrame(columns))
            bases.append(found)
    except (ValueError, np.linalg.LinAlgError) as error:
        return {"status": str(error)}, np.empty((0, len(DETAIL)))
    detail = pd.concat(details, keys=range(len(details)), names=["matrix", "place"]).reset_index()
    detail = detail.sort_values("square", kind="stable", ignore_index=True)
    detail["eigenvalue"] = detail["square"] * (row["lambda_max"] / detail["square"].iloc[-1])
    detail["spike"] = np.arange(len(detail)) >= len(detail) - row["n_spikes"]
    detail = detail[detail["determined"]]
    if detail.empty:
        return {"status": "equal eigenvalues: no vector is determined"}, np.empty((0, len(DETAIL)))
    spikes, bulk = detail[detail["spike"]], detail[~detail["spike"]]
    result = {"n_bulk": len(bulk), "n_spikes": len(spikes), "status": "ok"}
    for side, size in zip(SIDES, (row["m"], row["n"]), strict=True):
        chance = vectors.haar(size)
        for measure in SHOWN:
            of_bulk, of_spikes = bulk[f"{measure}_{side}"], spikes[f"{measure}_{side}"]
            values = (
                *(of_bulk.mean(), of_bulk.sem(), of_spikes.mean(), of_spikes.sem()),
                of_spikes.mean() - of_bulk.mean(),
                vectors.difference_p(of_spikes.to_numpy(), of_bulk.to_numpy()),
                chance.band(measure)[0],
            )
            result |= {f"{measure}_{side}_{name}": value for name, value in zip(OF_MEASURE, values, strict=True)}
        if size >= vectors.LEAST and len(bulk):
            sums = 0
            for matrix, own in bulk.groupby("matrix"):
                basis = getattr(bases[matrix], side)
                beside = basis[:, spikes.loc[spikes["matrix"] == matrix, "place"]]
                rng = generator(seed, f"{row['layer']} {matrix} {side}")
                sums = sums + vectors.departures(basis[:, own["place"]], beside, rng)
            result[f"porter_thomas_p_{side}"] = vectors.departure_p(sums)
        detail = detail.assign(
            **{f"porter_thomas_p_{side}": vectors.porter_thomas_p(detail[f"ks_{side}"].to_numpy(), size)}
        )
    return result, detail[list(DETAIL)].to_numpy(float)


if __name__ == "__main__":
    main()
