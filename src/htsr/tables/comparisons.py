"""The table of compared models: each distance beside its value of chance."""

from collections.abc import Mapping

import pandas as pd

from htsr.tables.latex import Column, Heading, escape, integer, number, percent, table, with_error

# Column of compare_models: printed name.
DISTANCES = {
    "log_wasserstein": r"$W_1$ of $\ln\lambda$",
    "spectra_ks": "Kolmogorov-Smirnov distance of the spectra",
    "relative_distance": r"$\|\mathbf{W}_2-\mathbf{W}_1\|_F/\|\mathbf{W}_1\|_F$",
    "cosine": "cosine of the weights",
    "overlap_right": "overlap of the largest right vectors",
    "overlap_left": "overlap of the largest left vectors",
    "cka": "linear CKA, debiased",
    "cca": "mean CCA",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
}
LEVEL = 0.05


def comparisons(layers: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """For each pair of models the mean of every distance over their matrices, its null, and how often p <= 0.05.

    layers: one row a matrix of every pair (compare_models). titles: printed names of the models.
    """
    columns = [Column("distance", 2.3), Column("matrices"), Column("mean", "l"), Column("null", "l")]
    columns += [Column("mean $z$"), Column(r"$p \leq 0.05$ (\%)")]
    rows: list = []
    for (first, second), own in layers.groupby(["first", "second"], sort=False):
        names = [escape(titles.get(name) or name, breakable=True) for name in (first, second)]
        used = own[own["status"] == "ok"]
        rest = len(own) - len(used)
        text = f"{names[0]} and {names[1]}" + (f" ({integer(rest)} matrices not comparable)" if rest else "")
        rows.append(Heading(text))
        for name, printed in DISTANCES.items():
            values = used[name].dropna().astype(float)
            if values.empty:
                continue
            cells = ["--", "--", "--"]
            if f"{name}_null" in used:
                null = used[f"{name}_null"].dropna().astype(float)
                z, p = (used[f"{name}_{key}"].dropna().astype(float) for key in "zp")
                share = percent((p <= LEVEL).mean()) if len(p) else "--"
                cells = [with_error(null.mean(), null.sem(), 3), number(z.mean(), 1), share]
            elif name == "cosine":
                cells = ["0", number(used["cosine_z"].mean(), 1), "--"]
            rows.append([printed, integer(len(values)), with_error(values.mean(), values.sem(), 3), *cells])
    note = r"Means over matrices $\pm$ standard errors. Null: spectra with exchanged eigenvalues, random subspaces, "
    note += "permuted rows, independent weights of mean 0. Overlap: mean squared cosine of the principal angles. CCA "
    note += "does not exist where a layer has as many features as examples."
    return table(columns, rows, note)
