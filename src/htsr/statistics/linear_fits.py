"""Straight lines through scattered points whose scatter is not the same everywhere."""

from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """y = slope·x + intercept through n points with their standard errors, NaN where the points do not tell."""

    slope: float
    intercept: float
    slope_stderr: float
    intercept_stderr: float
    n: int


def fit_line(x: np.ndarray, y: np.ndarray) -> Line | None:
    """Ordinary least squares; None for fewer than two different finite x.

    The standard errors are those of HC3 (MacKinnon and White 1985, J. Econometrics 29, 305), which allow each point
    its own variance; they need every point to have a leverage below 1.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if len(set(x)) < 2:
        return None
    design = np.column_stack([x, np.ones_like(x)])
    inverse = np.linalg.inv(design.T @ design)
    slope, intercept = inverse @ design.T @ y
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    errors = np.full(2, np.nan)
    if leverage.max() < 1 - 1e-9:
        residuals = (y - slope * x - intercept) / (1 - leverage)
        errors = np.sqrt(np.diag(inverse @ (design.T * residuals**2) @ design @ inverse))
    return Line(float(slope), float(intercept), float(errors[0]), float(errors[1]), len(x))
