"""Words and ranges that figures, tables and text share."""

from collections.abc import Mapping

UNIVERSAL = (2.0, 5.0)  # the range of alpha that the universality letter gives

# Whose eigenvalues the spectra are, by normalization; for LaTeX and matplotlib.
MATRIX = {
    "one_over_n": r"$\mathbf{X} = \mathbf{W}^{\!\top}\mathbf{W}/N$",
    "none": r"$\mathbf{X} = \mathbf{W}^{\!\top}\mathbf{W}$",
    "weightwatcher": r"$\mathbf{X} = \mathbf{W}^{\!\top}\mathbf{W}$, halved for convolutions",
}


def series_title(series: str, titles: Mapping[str, str]) -> str:
    """The printed name of a series: its title, else its name in words."""
    return titles.get(series) or series.replace("_", " ")
