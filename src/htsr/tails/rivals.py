"""Other laws for the same tail (x >= xmin, each normalized there), and whether the data prefer one to the power law.

Fits work on y = x/xmin and t = ln y, so that the answer does not depend on the scale of x. Densities are natural logs.
"""

import functools
import math

import numpy as np

SIGNIFICANCE = 0.05
# Rivals in the order in which they are asked, with their names in the column best_fit.
BEST_FITS = {
    "tpl": "TPL",
    "exponential": "exponential",
    "stretched": "stretched exponential",
    "lognormal": "lognormal",
}
_DROP = 42.0  # integrals end where the integrand is e^-42 of its start: below double precision
_LIMIT = 1e3  # ln(xmin/e^mu)/sigma beyond which a lognormal tail is a power law for any sample


def power_law_log_pdf(x, alpha, xmin):
    """ln of (α-1)/xmin (x/xmin)^-α."""
    return math.log((alpha - 1) / xmin) - alpha * np.log(np.asarray(x) / xmin)


def truncated_power_law_log_pdf(x, alpha, rate, xmin):
    """ln of x^-α e^(-Λx) / ∫ from xmin, Λ = rate (CSN09, table 2.1)."""
    y = np.asarray(x) / xmin
    return -alpha * np.log(y) - rate * xmin * y - log_normalizer(alpha, rate * xmin) - math.log(xmin)


def lognormal_log_pdf(x, mu, sigma, xmin):
    """ln of the lognormal density of ln x ~ N(mu, sigma²), normalized on x >= xmin."""
    t, z = np.log(np.asarray(x) / xmin), (math.log(xmin) - mu) / sigma
    if z < 0:
        kernel = -0.5 * (t / sigma + z) ** 2 - math.log(math.sqrt(math.pi / 2) * math.erfc(z / math.sqrt(2)))
    else:  # the same with z²/2 cancelled by hand, which is huge where xmin lies far in the tail
        kernel = -0.5 * (t / sigma) ** 2 - z * t / sigma + math.log(z + _cut_normal(z)[0])
    return kernel - math.log(sigma) - t - math.log(xmin)


def exponential_log_pdf(x, rate, xmin):
    """ln of Λ e^(-Λ(x - xmin)), Λ = rate."""
    return math.log(rate) - rate * (np.asarray(x) - xmin)


def stretched_exponential_log_pdf(x, rate, beta, xmin):
    """ln of βΛ(Λx)^(β-1) e^((Λ xmin)^β - (Λx)^β), Λ = rate (CSN09, table 2.1): the tail of Weibull's law."""
    t, log_scale = np.log(np.asarray(x) / xmin), beta * (math.log(rate) + math.log(xmin))
    return math.log(beta) + log_scale + (beta - 1) * t - math.exp(log_scale) * np.expm1(beta * t) - math.log(xmin)


def log_normalizer(alpha, x):
    """ln ∫₁^∞ y^-α e^(-xy) dy = ln(x^(α-1) Γ(1-α, x)), the generalized exponential integral E_α(x).

    alpha >= 0 and x > 0, or alpha > 1 and x >= 0; arrays broadcast. By Gauss-Legendre quadrature in ln y, to about
    1e-13: the recurrence in α from scipy's incomplete gamma function of positive order, and its series, lose all
    digits near integer α; here all terms are positive.
    """
    alpha, x = np.broadcast_arrays(np.asarray(alpha, float), np.asarray(x, float))
    t, weights = _quadrature(alpha[..., None], x[..., None])
    total = (weights * np.exp((1 - alpha[..., None]) * t - x[..., None] * np.expm1(t))).sum(-1)
    return np.log(total) - x


def fit_truncated_power_law(tail, xmin):
    """(α, Λ) of the truncated power law of greatest likelihood with α, Λ >= 0, for numbers tail >= xmin.

    Λ = 0 is the power law, α = 0 the exponential. The likelihood is that of an exponential family in (ln y, y),
    concave, so that the sign of one derivative tells whether the maximum lies on such an edge; else Fisher scoring
    in (α, ln Λ).
    """
    y = np.asarray(tail) / xmin
    log_mean, excess = float(np.log(y).mean()), float((y - 1).mean())
    pure = 1 + 1 / log_mean
    if pure > 2 and excess * (pure - 2) >= 1:  # <y> - 1 = 1/(α-2) under the power law
        return pure, 0.0
    if _moments(0.0, 1 / excess)[1] <= log_mean:
        return 0.0, 1 / excess / xmin
    alpha, rate = pure, 1 / float(y.max())

    def cost(alpha, rate):
        norm, *moments = _moments(alpha, rate)
        return (alpha - 1) * log_mean + rate * excess + norm, moments

    value, moments = cost(alpha, rate)
    for _ in range(200):
        t1, u1, tt, tu, uu = moments
        gradient = np.array([log_mean - t1, rate * (excess - u1)])
        fisher = np.array([[tt, rate * tu], [rate * tu, rate**2 * uu]])
        step = -np.linalg.solve(fisher + 1e-14 * np.diag(np.diag(fisher)), gradient)
        decrement = -float(gradient @ step)
        if decrement < 1e-20:
            break
        step /= max(1.0, abs(step[1]) / 2)
        for halving in range(50):
            a, r = max(0.0, alpha + step[0] * 0.5**halving), rate * math.exp(step[1] * 0.5**halving)
            new, new_moments = cost(a, r)
            if new < value:
                break
        else:
            break
        alpha, rate, value, moments = a, r, new, new_moments
    return float(alpha), float(rate / xmin)


def fit_lognormal(tail, xmin):
    """(mu, sigma) of the lognormal of greatest likelihood normalized on x >= xmin, for numbers tail >= xmin.

    ln(x/xmin) is a normal variable cut off at 0, whose likelihood equations are those of its first two moments: their
    ratio <t²>/<t>² depends on z = (ln xmin - mu)/sigma alone and grows with it from 1 to 2. (NaN, NaN) where the
    sample's is larger: then mu -> -∞ with mu/sigma² fixed is ever more likely, and its limit is the power law itself.
    """
    t = np.log(np.asarray(tail) / xmin)
    mean, ratio = float(t.mean()), float(np.mean((t / t.mean()) ** 2))
    low, high = -30.0, _LIMIT
    if ratio >= _cut_normal(high)[1]:
        return math.nan, math.nan
    if ratio <= _cut_normal(low)[1]:  # the cut removes nothing
        return math.log(xmin) + mean, mean * math.sqrt(max(0.0, ratio - 1))
    while high - low > 1e-14 * (1 + abs(low)):
        z = (low + high) / 2
        low, high = (z, high) if _cut_normal(z)[1] < ratio else (low, z)
    sigma = mean / _cut_normal(low)[0]
    return math.log(xmin) - low * sigma, sigma


def fit_exponential(tail, xmin):
    """Λ of the exponential of greatest likelihood for numbers tail >= xmin: 1/(mean - xmin)."""
    return float(1 / np.mean(np.asarray(tail) - xmin))


def fit_stretched_exponential(tail, xmin):
    """(Λ, β) of the stretched exponential of greatest likelihood with β > 0, for numbers tail >= xmin.

    For given β, (Λ xmin)^β = 1/<y^β - 1>, y = x/xmin. What is left of the log-likelihood of a datum is then, but for
    constants, β<t> - ln ∫ e^(βu) S(u) du with S(u) the share of t = ln y above u: the second term is a cumulant
    generating function, so that there is one maximum, where the tilted mean of u is <t>. It lies at β > 0 where
    <t²> < 2<t>²; else, and where β is so small that Λ overflows, the answer is (NaN, NaN): the limit β -> 0 with
    β(Λ xmin)^β fixed is the power law itself.
    """
    from htsr.tails.search import tilted_moments  # compiled, and only fits need it: figures load faster without

    t = np.log(np.asarray(tail) / xmin)
    unit = float(t.max())
    t /= unit
    mean = float(t.mean())
    if np.mean((t / mean) ** 2) >= 2:
        return math.nan, math.nan
    low, high, beta = 0.0, math.inf, 0.0
    for _ in range(200):
        first, second = tilted_moments(t, beta)
        low, high = (beta, high) if first < mean else (low, beta)
        step = (mean - first) / (second - first**2)
        if abs(step) <= 1e-10 * beta:
            break
        beta += step
        if not low < beta < high:
            beta = (low + high) / 2 if math.isfinite(high) else 2 * low + 1
    log_rate = -math.log(float(np.expm1(beta * t).mean())) / beta * unit if beta * unit else math.inf
    log_rate -= math.log(xmin)
    if not abs(log_rate) < 700:
        return math.nan, math.nan
    return math.exp(log_rate), beta / unit


def vuong(differences):
    """(ratio, p) of Vuong's test for laws that are not nested (Vuong 1989; CSN09, appendix C).

    differences: rival's log-likelihood minus the power law's, for each datum. ratio = Σ/(√n s.d.): positive favours
    the rival. p, two-sided, that so large a ratio arises where both are equally far from the truth. xmin was chosen
    for the power law, which no such test accounts for.
    """
    n, spread = len(differences), float(np.std(differences))
    if not spread > 0:
        return 0.0, 1.0
    ratio = float(np.sum(differences)) / (math.sqrt(n) * spread)
    return ratio, math.erfc(abs(ratio) / math.sqrt(2))


def nested(differences):
    """(ratio, p) for a rival that contains the power law as the edge of its range, as `vuong` counts the ratio.

    Twice the log-likelihood ratio R is then 0 in half of all power-law samples and χ²₁ in the others (Self and Liang
    1987): p = ½ P(χ²₁ > 2R), and 1 where R = 0. That limit needs a finite variance of x, α > 3: samples of a power law
    with α = 6 (n = 300) have p <= 0.05 in 6 % of cases, with α = 2.5 in 9 %, with α = 1.5 in 11 %.
    """
    total = float(np.sum(differences))
    if not total > 0:
        return 0.0, 1.0
    return vuong(differences)[0], 0.5 * math.erfc(math.sqrt(total))


def best_fit(tests):
    """The first of `BEST_FITS` that is significantly better than the power law, else `PL`.

    tests: (ratio, p) against the power law by the names tpl, exponential, stretched, lognormal.
    """
    for name, label in BEST_FITS.items():
        ratio, p = tests[name]
        if ratio > 0 and p <= SIGNIFICANCE:
            return label
    return "PL"


def compare(tail, xmin, alpha):
    """Fit the four rivals to tail >= xmin and hold each against the power law with exponent alpha.

    Returns a dict: tpl_alpha, tpl_lambda, lognormal_mu, lognormal_sigma, exponential_lambda, stretched_lambda,
    stretched_beta, ratio and p of each (positive ratios favour the rival; `nested` for the truncated power law, `vuong`
    for the others), best_fit.
    """
    base = power_law_log_pdf(tail, alpha, xmin)
    tpl_alpha, tpl_rate = fit_truncated_power_law(tail, xmin)
    mu, sigma = fit_lognormal(tail, xmin)
    rate = fit_exponential(tail, xmin)
    stretched_rate, beta = fit_stretched_exponential(tail, xmin)
    on_edge = np.zeros(len(base))
    tests = {
        "tpl": nested(truncated_power_law_log_pdf(tail, tpl_alpha, tpl_rate, xmin) - base if tpl_rate else on_edge),
        "exponential": vuong(exponential_log_pdf(tail, rate, xmin) - base),
        "stretched": vuong(
            on_edge if math.isnan(beta) else stretched_exponential_log_pdf(tail, stretched_rate, beta, xmin) - base
        ),
        "lognormal": vuong(on_edge if math.isnan(mu) else lognormal_log_pdf(tail, mu, sigma, xmin) - base),
    }
    return {
        "tpl_alpha": tpl_alpha,
        "tpl_lambda": tpl_rate,
        "lognormal_mu": mu,
        "lognormal_sigma": sigma,
        "exponential_lambda": rate,
        "stretched_lambda": stretched_rate,
        "stretched_beta": beta,
        **{f"{name}_ratio": ratio for name, (ratio, _) in tests.items()},
        **{f"{name}_p": p for name, (_, p) in tests.items()},
        "best_fit": best_fit(tests),
    }


@functools.cache
def _legendre():
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return (nodes + 1) / 2, weights / 2


def _quadrature(alpha, x):
    """Nodes t = ln y and weights for integrands y^(1-α) e^(-x(y-1)) dt."""
    with np.errstate(divide="ignore"):
        end = np.minimum(_DROP / np.maximum(alpha - 1, 0), np.log1p(_DROP / x))
    nodes, weights = _legendre()
    return end * nodes, end * weights


def _moments(alpha, rate):
    """ln ∫ y^-α e^(-Λ(y-1)) dy from 1; mean of t = ln y and of u = y - 1; var t, cov, var u. In units of xmin."""
    t, weights = _quadrature(alpha, rate)
    u = np.expm1(t)
    weights = weights * np.exp((1 - alpha) * t - rate * u)
    norm = weights.sum()
    weights /= norm
    t1, u1 = weights @ t, weights @ u
    dt, du = t - t1, u - u1
    return math.log(norm), t1, u1, weights @ dt**2, weights @ (dt * du), weights @ du**2


def _cut_normal(z):
    """(<t>/σ, <t²>/<t>²) of a normal variable with mean -zσ cut off below t = 0.

    With the hazard h = φ(z)/(1 - Φ(z)) they are d = h - z and (1 - zd)/d². Far in the tail, Laplace's continued
    fraction h = z + 1/(z + 2/(z + 3/(z + ...))) gives both without cancellation.
    """
    if z > 5:
        e = 0.0
        for k in range(40, 1, -1):
            e = k / (z + e)
        d = 1 / (z + e)
        return d, e / d
    d = math.exp(-z * z / 2) / (math.sqrt(math.pi / 2) * math.erfc(z / math.sqrt(2))) - z
    return d, (1 - z * d) / d**2
