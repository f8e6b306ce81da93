"""Student's t and the jackknife on a handful of repetitions."""

import numpy as np
import pytest
from scipy import stats

from htsr.statistics.student import jackknife, student


def test_student_is_that_of_scipy():
    values = np.array([1.0, 2.5, 1.7, np.nan])
    found, expected = student(values, 0.9), stats.ttest_1samp(values[:3], 0)
    assert found.n == 3 and found.mean == pytest.approx(values[:3].mean())
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.9)))


@pytest.mark.parametrize(("values", "mean", "n"), [([2.0], 2.0, 1), ([3.0, 3.0, 3.0], 3.0, 3)])
def test_values_without_a_spread_have_no_interval(values, mean, n):
    found = student(np.array(values))
    assert (found.mean, found.n) == (mean, n) and np.isnan([found.stderr, found.low, found.high, found.p]).all()


def test_nothing_has_no_mean():
    assert np.isnan(student(np.array([np.nan])).mean) and student(np.array([])).n == 0


def test_the_jackknife_of_a_mean_is_students_t():
    values = np.array([1.0, 2.5, 1.7, 0.3, 4.0])
    left_out = (values.sum() - values) / 4
    assert jackknife(values.mean(), left_out) == pytest.approx(student(values))
