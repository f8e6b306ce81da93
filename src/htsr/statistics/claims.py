"""Judge published sentences against the tables of an experiment.

A claim names one of TESTS and its arguments (`config/claims/*.yaml`); `htsr.statistics.verdict` holds the rules.
"""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from htsr.errors import InputError
from htsr.statistics import resampling
from htsr.statistics.comparison_claims import larger_in_layers, mean_differs, mean_unchanged
from htsr.statistics.ensemble_claims import (
    agrees_with_theory,
    follows_law,
    mean_equals,
    phases_told_apart,
    pl_norm_relation,
    rate_equals,
    rate_exceeds,
    slope_equals,
    slope_exceeds,
)
from htsr.statistics.evidence import Judging, NotMeasured, Tables
from htsr.statistics.jacobian_claims import TESTS as OF_JACOBIANS
from htsr.statistics.landscape_claims import TESTS as OF_LANDSCAPES
from htsr.statistics.layer_claims import (
    layers_ranked_alike,
    mean_has_sign,
    share_among,
    share_beyond_null,
    share_close,
    share_in_range,
)
from htsr.statistics.model_claims import (
    beats_rivals,
    nears_value,
    tracks_accuracy,
    tracks_beyond_controls,
    tracks_in_sweeps,
)
from htsr.statistics.sweep_claims import (
    acts_more,
    acts_more_than_labels,
    changes_in_training,
    differs_along,
    mean_exceeds,
    phases_seen,
    spectra_differ,
    trend,
)
from htsr.statistics.verdict import not_measured

TESTS = {
    test.__name__: test
    for test in (
        *(tracks_accuracy, tracks_beyond_controls, nears_value, beats_rivals),
        *(share_in_range, share_beyond_null, share_close, share_among, layers_ranked_alike, mean_has_sign),
        *(larger_in_layers, mean_unchanged, mean_differs),
        *(rate_equals, rate_exceeds, mean_equals, agrees_with_theory, follows_law),
        *(slope_equals, slope_exceeds, pl_norm_relation, phases_told_apart),
        *(trend, changes_in_training, differs_along, mean_exceeds, phases_seen, spectra_differ),
        *(acts_more, acts_more_than_labels, tracks_in_sweeps),
        *(*OF_JACOBIANS, *OF_LANDSCAPES),
    )
}

COLUMNS = [
    *("claim", "paper", "source", "statement", "effect", "effect_low", "effect_high", "p_value", "n", "verdict"),
    "reason",
]


def judge(claims: Mapping[str, Any], tables: Tables, judging: Judging) -> pd.DataFrame:
    """One row (COLUMNS) a claim. claims: by name, each with source, statement, test and arguments.

    A claim that needs what the tables do not have is inconclusive. Raises InputError for an unknown test or
    argument, and for impossible settings.
    """
    resampling.check(judging.resamples, judging.level)
    for name, claim in claims.items():
        check(name, claim.test, claim.arguments)
    rows = []
    for name, claim in claims.items():
        try:
            evidence = TESTS[claim.test](tables, judging, **claim.arguments)
        except NotMeasured as error:
            evidence = not_measured(str(error))
        except InputError as error:
            raise InputError(f"claim {name!r}: {error}") from None
        numbers = (evidence.effect, evidence.low, evidence.high, evidence.p)
        told = (name, claim.paper, claim.source, claim.statement)
        rows.append((*told, *numbers, evidence.n, evidence.verdict, evidence.reason))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["n"] = table["n"].astype("Int64").where(table["effect"].notna())
    return table


def check(name: str, test: str, arguments: Mapping[str, Any]) -> None:
    """Raise InputError where the test does not exist or does not take these arguments."""
    if test not in TESTS:
        raise InputError(f"claim {name!r}: no test is named {test!r}; there are {', '.join(TESTS)}")
    signature = inspect.signature(TESTS[test])
    try:
        signature.bind(None, None, **arguments)
    except TypeError as error:
        raise InputError(f"claim {name!r}, test {test}: {error}") from None
    for key, value in arguments.items():
        wanted = signature.parameters[key].annotation
        fits = isinstance(value, (int, float) if wanted is float else wanted) and not isinstance(value, bool)
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            raise InputError(f"claim {name!r}, test {test}: {key}: {value!r} is no {wanted.__name__}")
