"""What every column of the tables of numbers means, and the symbol that figures and tables print."""

from typing import NamedTuple


class Column(NamedTuple):
    """symbol: LaTeX that matplotlib's mathtext understands too; meaning: one line."""

    symbol: str
    meaning: str


_C = Column

# λ are eigenvalues in the normalization of the run: of WᵀW/N (one_over_n), WᵀW (none), or WᵀW with two-dimensional
# convolutions halved (weightwatcher; W stands for W/√2 in their norms as well). log is log10.
COLUMNS = {
    "layer": _C(
        "layer",
        "name of the spectrum: the weight, with [i,j] for a kernel position, [name] for a block",
    ),
    "weight_layer": _C("weight", "name of the weight that the spectrum belongs to"),
    "kind": _C("kind", "kind of layer: linear, conv2d, embedding, ..."),
    "n": _C(r"$N$", "larger dimension of the matrix"),
    "m": _C(r"$M$", "smaller dimension of the matrix"),
    "q": _C(r"$Q$", "aspect ratio N/M"),
    "status": _C("status", "ok, or the reason why the row has no numbers"),
    # fits
    "n_eigenvalues": _C(r"$n$", "number of eigenvalues given to the fit"),
    "alpha": _C(r"$\alpha$", "power-law exponent of the tail of the spectral density"),
    "alpha_stderr": _C(
        r"$\sigma_\alpha$", "standard error of alpha for a known xmin; in a model's row: of the mean alpha"
    ),
    "alpha_low": _C(
        r"$\alpha_{\mathrm{low}}$",
        "lower end of the 95 % interval of alpha: bias-corrected bootstrap, xmin chosen anew",
    ),
    "alpha_high": _C(
        r"$\alpha_{\mathrm{high}}$",
        "upper end of the 95 % interval of alpha: bias-corrected bootstrap, xmin chosen anew",
    ),
    "xmin": _C(r"$\lambda_{\mathrm{min}}$", "eigenvalue where the fitted tail begins"),
    "xmax": _C(r"$\lambda_{\mathrm{max}}^{\mathrm{fit}}$", "largest eigenvalue in the fitted tail"),
    "ks_distance": _C(r"$D$", "Kolmogorov-Smirnov distance between the tail and its power law"),
    "n_tail": _C(r"$n_{\mathrm{tail}}$", "number of eigenvalues in the fitted tail"),
    "p_value": _C(r"$p$", "goodness of fit: share of bootstrap samples of the fitted law that fit it no better"),
    "alpha_hill": _C(r"$\alpha_{\mathrm{Hill}}$", "Hill estimate of alpha from the larger half of the eigenvalues"),
    "tpl_alpha": _C(r"$\alpha_{\mathrm{TPL}}$", "exponent of the truncated power law"),
    "tpl_lambda": _C(r"$\Lambda_{\mathrm{TPL}}$", "rate of the exponential cut-off of the truncated power law"),
    "alpha_farms": _C(
        r"$\alpha_{\mathrm{FARMS}}$", "Hill estimate from the eigenvalues of square windows of the matrix"
    ),
    "alpha_moments": _C(
        r"$\alpha_{\mathrm{mom}}$", "moments estimate from the power law's tail; empty where it finds no power law"
    ),
    "alpha_moments_stderr": _C(r"$\sigma_{\alpha_{\mathrm{mom}}}$", "its standard error, the tail taken for given"),
    "alpha_kernel": _C(r"$\alpha_{\mathrm{ker}}$", "kernel estimate from the power law's tail"),
    "alpha_kernel_stderr": _C(r"$\sigma_{\alpha_{\mathrm{ker}}}$", "its standard error, the tail taken for given"),
    "alpha_bounded": _C(r"$\alpha_{\mathrm{b}}$", "exponent of the power law that ends at the largest eigenvalue"),
    "alpha_bounded_stderr": _C(r"$\sigma_{\alpha_{\mathrm{b}}}$", "its standard error, the tail taken for given"),
    "xmin_bounded": _C(r"$\lambda_{\mathrm{min}}^{\mathrm{b}}$", "eigenvalue where the bounded power law begins"),
    "stretched_lambda": _C(r"$\Lambda_{\mathrm{SE}}$", "rate of the stretched exponential tail"),
    "stretched_beta": _C(r"$\beta_{\mathrm{SE}}$", "exponent of the stretched exponential tail"),
    "stretched_ratio": _C(
        r"$R_{\mathrm{SE}}$", "normalized log-likelihood ratio, positive: stretched exponential preferred"
    ),
    "stretched_p": _C(r"$p_{\mathrm{SE}}$", "p of Vuong's test of the power law against the stretched exponential"),
    "lognormal_mu": _C(r"$\mu_{\mathrm{LN}}$", "location of the lognormal tail"),
    "lognormal_sigma": _C(r"$\sigma_{\mathrm{LN}}$", "scale of the lognormal tail"),
    "exponential_lambda": _C(r"$\Lambda_{\mathrm{E}}$", "rate of the exponential tail"),
    "tpl_ratio": _C(r"$R_{\mathrm{TPL}}$", "normalized log-likelihood ratio, positive: truncated power law preferred"),
    "tpl_p": _C(r"$p_{\mathrm{TPL}}$", "p of the nested test of the power law against the truncated one"),
    "lognormal_ratio": _C(r"$R_{\mathrm{LN}}$", "normalized log-likelihood ratio, positive: lognormal preferred"),
    "lognormal_p": _C(r"$p_{\mathrm{LN}}$", "p of Vuong's test of the power law against the lognormal"),
    "exponential_ratio": _C(r"$R_{\mathrm{E}}$", "normalized log-likelihood ratio, positive: exponential preferred"),
    "exponential_p": _C(r"$p_{\mathrm{E}}$", "p of Vuong's test of the power law against the exponential"),
    "best_fit": _C(
        "best fit", "law that describes the tail best: PL, TPL, exponential, stretched exponential or lognormal"
    ),
    "alpha_null": _C(r"$\alpha_0$", "mean alpha of element-wise permutations of the matrix"),
    "alpha_null_std": _C(r"$\sigma_{\alpha_0}$", "standard deviation of alpha over the permutations"),
    "alpha_null_z": _C(r"$z_\alpha$", "distance of alpha from its permutations in standard deviations"),
    "alpha_null_p": _C(r"$p_{\alpha_0}$", "p of alpha among its permutations"),
    "n_null": _C(r"$K$", "number of permutations that could be fitted"),
    "alpha_null_all": _C(r"$\alpha_0$", "alpha of every permutation, separated by spaces"),
    # measures
    "lambda_max": _C(r"$\lambda_{\mathrm{max}}$", "largest eigenvalue"),
    "lambda_plus": _C(r"$\lambda_+$", "upper edge of the Marchenko-Pastur law fitted to the bulk"),
    "lambda_plus_stderr": _C(r"$\Delta\lambda_+$", "standard error of lambda_plus"),
    "sigma_mp": _C(r"$\sigma_{\mathrm{MP}}$", "standard deviation of the entries of W that the fitted bulk stands for"),
    "sigma_mp_stderr": _C(r"$\Delta\sigma_{\mathrm{MP}}$", "standard error of sigma_mp"),
    "n_spikes": _C(
        r"$n_{\mathrm{spikes}}$", "number of eigenvalues beyond the Tracy-Widom quantile of the bulk's edge"
    ),
    "edge_p": _C(r"$p_+$", "p of the largest eigenvalue under the Tracy-Widom law of the bulk's edge"),
    "mass_beyond": _C(r"$m_+$", "share of the eigenvalues beyond lambda_plus"),
    "mass_beyond_stderr": _C(r"$\Delta m_+$", "what the standard error of lambda_plus makes of mass_beyond"),
    "energy_beyond": _C(r"$e_+$", "share of the eigenvalues beyond lambda_plus in the sum of all"),
    "energy_beyond_stderr": _C(r"$\Delta e_+$", "what the standard error of lambda_plus makes of energy_beyond"),
    "mp_ks": _C(r"$D_{\mathrm{MP}}$", "Kolmogorov-Smirnov distance between the bulk and its Marchenko-Pastur law"),
    "mp_p": _C(r"$p_{\mathrm{MP}}$", "p of mp_ks for a Gaussian matrix, whose eigenvalues repel"),
    "bulk_z": _C(r"$z_{\mathrm{bulk}}$", "excess width of the bulk over Marchenko-Pastur, standard normal for noise"),
    "n_below": _C(r"$n_{<}$", "number of eigenvalues below the Tracy-Widom quantile of the bulk's lower edge"),
    "left_ks": _C(r"$D_{-}$", "distance between the lowest tenth of the bulk and its Marchenko-Pastur law"),
    "left_p": _C(r"$p_{-}$", "p of left_ks for a Gaussian matrix"),
    "spacing_ratio": _C(r"$\langle r\rangle$", "mean ratio of consecutive spacings: 0.531 in random matrices"),
    "spacing_ratio_stderr": _C(r"$\Delta\langle r\rangle$", "standard error of spacing_ratio"),
    "spacing_p": _C(r"$p_{\mathrm{GOE}}$", "p of spacing_ratio under the Gaussian orthogonal ensemble"),
    "n_traps": _C(r"$n_{\mathrm{traps}}$", "correlation traps: mean number of spikes of the permuted matrix"),
    "trap_p": _C(r"$p_{\mathrm{traps}}$", "p of traps: twice the median p of the permutations' largest eigenvalues"),
    "erg_n": _C(r"$n_{\mathrm{ERG}}$", "number of eigenvalues in the largest tail of determinant one (detX)"),
    "erg_lambda": _C(r"$\lambda_{\mathrm{ERG}}$", "smallest eigenvalue in that tail"),
    "erg_gap": _C(r"$\Delta\lambda_{\mathrm{ERG}}$", "gap between the tails (xmin - erg_lambda)/xmin"),
    "mp_softrank": _C(r"$\mathcal{R}_{\mathrm{MP}}$", "Marchenko-Pastur soft rank lambda_plus/lambda_max"),
    "stable_rank": _C(r"$\mathcal{R}_s$", "stable rank: sum of the eigenvalues over the largest"),
    "matrix_rank": _C(r"$\mathcal{R}$", "hard rank: eigenvalues above machine epsilon times N lambda_max"),
    "entropy": _C(r"$S$", "matrix entropy of the eigenvalues' shares, 1 where all non-zero ones are equal"),
    "entropy_null": _C(r"$S_0$", "mean matrix entropy of element-wise permutations of the matrix"),
    "entropy_null_std": _C(r"$\sigma_{S_0}$", "standard deviation of the entropy over the permutations"),
    "stable_rank_null": _C(r"$\mathcal{R}_{s,0}$", "mean stable rank of element-wise permutations of the matrix"),
    "stable_rank_null_std": _C(
        r"$\sigma_{\mathcal{R}_{s,0}}$", "standard deviation of the stable rank over the permutations"
    ),
    "log_norm": _C(
        r"$\log\,\|\mathbf{W}\|_F$", "log10 of the Frobenius norm of W (pooled: of all its matrices together)"
    ),
    "log_spectral_norm": _C(r"$\log\,\lambda_{\mathrm{max}}$", "log10 of the largest eigenvalue"),
    "log_stable_rank": _C(
        r"$\mathcal{R}_s^{\log}$",
        "log stable rank log10 ||W||_F^2 / log10 lambda_max; without meaning near lambda_max = 1",
    ),
    "log_alpha_norm": _C(
        r"$\log\,\|\mathbf{X}\|_\alpha^\alpha$", "log10 of the sum of the eigenvalues to the power alpha"
    ),
    "alpha_weighted": _C(r"$\hat{\alpha}$", "weighted alpha: alpha times log10 lambda_max"),
    "phase": _C("phase", "phase of training, by the rule of htsr.metrics.phase"),
    "phase_confidence": _C(r"$c_{\mathrm{phase}}$", "share of perturbed decisions that give the same phase"),
    # vectors
    "n_bulk": _C(r"$n_{\mathrm{bulk}}$", "number of singular vectors of the bulk"),
    "porter_thomas_p_right": _C(r"$p_{\mathrm{PT}}$", "p of the components of the bulk's right vectors being Gaussian"),
    "porter_thomas_p_left": _C(r"$p_{\mathrm{PT}}$", "p of the components of the bulk's left vectors being Gaussian"),
    # metrics
    "series": _C("series", "models that are compared with each other"),
    "model": _C("model", "name of the model"),
    "title": _C("model", "printed name of the model"),
    "dataset": _C("data set", "data set that the accuracy was measured on"),
    "accuracy": _C("accuracy (%)", "test accuracy in percent"),
    "error": _C("error (%)", "test error in percent: 100 - accuracy"),
    "train_accuracy": _C("training accuracy (%)", "accuracy on the training set in percent"),
    "accuracy_source": _C("source of the accuracy", "where the accuracy was reported or measured"),
    "n_parameters": _C("parameters", "number of parameters"),
    "depth": _C("depth", "number of layers with a weight of two or more dimensions, embeddings left out"),
    "gap": _C("gap", "training less test accuracy in percentage points"),
    "distance": _C(r"$\|\Delta\mathbf{W}\|/\|\mathbf{W}_0\|$", "distance from the initial weights over their norm"),
    "n_matrices": _C("spectra", "number of spectra in the model's means"),
    "n_failed": _C("failed", "number of spectra left out of the model's means"),
    # regressions
    "metric": _C("metric", "column that the regression explains the target with"),
    "target": _C("target", "error or accuracy"),
    "slope": _C("slope", "ordinary least squares slope of the target on the metric"),
    "intercept": _C("intercept", "ordinary least squares intercept"),
    "r2": _C(r"$R^2$", "coefficient of determination"),
    "rmse": _C("RMSE", "root of the mean squared residual"),
    "loo_rmse": _C(r"$\mathrm{RMSE}_{\mathrm{loo}}$", "root of the mean squared error of models left out of the fit"),
    "kendall_tau": _C(r"$\tau$", "Kendall's tau-b"),
    "spearman": _C(r"$\rho$", "Spearman's rank correlation"),
    "partial_tau": _C(r"$\tau_{\mathrm{partial}}$", "Kendall's tau after taking out depth and log_norm"),
}

# Averaged over the spectra of a model by `htsr.metrics.averages`, each with the standard error of its mean.
AVERAGED = (
    "alpha",
    "alpha_weighted",
    "log_norm",
    "log_spectral_norm",
    "log_alpha_norm",
    "log_stable_rank",
    "stable_rank",
    "mp_softrank",
    "entropy",
    "alpha_hill",
    "ks_distance",
)

COLUMNS |= {
    f"{name}_stderr": _C(f"s.e. {COLUMNS[name].symbol}", f"standard error of the model's mean: {COLUMNS[name].meaning}")
    for name in AVERAGED
    if name != "alpha"
}

# Measures of singular vectors (`htsr.spectra.vectors`): of the bulk's and of the spikes', right (length M) and left.
_OF_VECTORS = {
    "entropy": (r"S(\mathbf{v})", "entropy of the squared components over ln n"),
    "localization": (r"\mathcal{L}(\mathbf{v})", "localization ratio |v|_1/|v|_inf"),
    "participation": (r"\mathcal{P}(\mathbf{v})", "participation ratio |v|_2/|v|_4"),
}
_OF_WHICH = {
    "bulk": (r"$%s_{\mathrm{bulk}}$", "mean over the bulk's vectors: %s"),
    "bulk_stderr": (r"s.e. $%s_{\mathrm{bulk}}$", "standard error of the mean over the bulk's vectors: %s"),
    "spikes": (r"$%s_{\mathrm{spikes}}$", "mean over the spikes' vectors: %s"),
    "spikes_stderr": (r"s.e. $%s_{\mathrm{spikes}}$", "standard error of the mean over the spikes' vectors: %s"),
    "difference": (r"$\Delta %s$", "mean over spikes less mean over bulk: %s"),
    "p": (r"$p(\Delta %s)$", "p of spikes and bulk being alike (Mann-Whitney): %s"),
    "null": (r"$%s_0$", "mean over random vectors: %s"),
}
COLUMNS |= {
    f"{measure}_{side}_{which}": _C(symbol % of, meaning % f"{text}, {side} vectors")
    for measure, (of, text) in _OF_VECTORS.items()
    for side in ("right", "left")
    for which, (symbol, meaning) in _OF_WHICH.items()
}

# Jacobians of inputs (compute_jacobian): X = 𝒥ᵀ𝒥 and M = 𝒥𝒥ᵀ have the same non-zero eigenvalues, which grow with n.
_OF_JACOBIANS = {
    "softmax": ("J", "X of the softmax"),
    "centred": (r"J-\bar{J}", "X of the rows less their mean"),
    "correlation": ("C", "the correlation matrix C of the rows"),
    "diagonal": (r"\mathrm{diag}\,\mathbf{M}", "the diagonal of M: squared norms of the examples' Jacobians"),
    "diagonal_x": (r"\mathrm{diag}\,\mathbf{X}", "the diagonal of X: energy of each class and pixel"),
    "logit": ("z", "X of the scores"),
    "parameters": (r"\theta", "X by the parameters"),
}
COLUMNS |= {
    f"{spectrum}_{name}": _C(symbol % index, meaning % of)
    for spectrum, (index, of) in _OF_JACOBIANS.items()
    for name, (symbol, meaning) in {
        "alpha": (r"$\alpha_{%s}$", "power-law exponent of %s"),
        "alpha_null": (r"$\alpha_{%s,0}$", "the same for rows of the same norms in random directions: %s"),
        "best_fit": (r"best fit$_{%s}$", "law that fits the tail best: %s"),
        "p_value": (r"$p_{%s}$", "goodness of fit of the power law: %s"),
        "log_spectral_norm": (r"$\log\,\lambda_{\mathrm{max}}^{%s}$", "log10 of the largest eigenvalue of %s"),
    }.items()
}
COLUMNS |= {
    "n_examples": _C("$n$", "number of examples whose Jacobians are the rows"),
    "confidence": _C(r"$\langle\max p\rangle$", "mean probability of the most probable class"),
    "rank": _C(r"$\mathrm{rank}$", "eigenvalues of M above the resolution of the gradients"),
    "effective_rank": _C(r"$\mathcal{R}_{\mathrm{eff}}$", "effective rank (sum of eigenvalues)^2 / sum of squares"),
    "norm": _C(r"$\langle\|J\|_F\rangle$", "mean Frobenius norm of an example's Jacobian"),
    "log_jacobian_norm": _C(r"$\log\,\langle\|J\|_F\rangle$", "log10 of the mean norm of an example's Jacobian"),
    "log_largest_diagonal": _C(r"$\log\,\max M_{ii}$", "log10 of the largest diagonal entry of M"),
    "log_top_ratio": _C(r"$\log\,\lambda_{\mathrm{max}}/\max M_{ii}$", "log10 of lambda_max over that entry"),
    "log_equal_norms": _C(
        r"$\log\,\overline{M_{ii}}\,\lambda^{C}$", "log10 of lambda_max if all rows had the same norm"
    ),
    "diagonal_energy": _C(r"$s_{\mathrm{diag}}$", "share of the squared entries of M on its diagonal"),
    "diagonal_distance": _C(r"$W_1(\mathbf{M},\mathrm{diag})$", "Wasserstein distance of ln eigenvalues and diagonal"),
    "null_distance": _C(r"$W_1(\mathbf{M},0)$", "Wasserstein distance of ln eigenvalues of M and of its null"),
    "null_excess": _C(r"$W_1(\mathbf{M},0)-W_1(0,0)$", "null_distance less that between two matrices of the null"),
    "alignment": _C(r"$A_{\mathbf{M}}$", "centred kernel alignment of M with the classes"),
    "alignment_null": _C(r"$A_{\mathbf{M},0}$", "mean of it over permuted classes"),
    "correlation_alignment": _C(r"$A$", "centred kernel alignment of the correlation matrix with the classes"),
    "correlation_alignment_null": _C(r"$A_0$", "mean of it over permuted classes"),
    "within": _C(r"$\overline{C}_{\mathrm{within}}$", "mean correlation within classes"),
    "between": _C(r"$\overline{C}_{\mathrm{between}}$", "mean correlation between classes"),
    "class_share": _C(r"$s_{\mathrm{class}}$", "mean share of the top eigenvectors that is alike within classes"),
    "class_share_null": _C(r"$k/n$", "the same for a random vector"),
    "top_example": _C(r"$\max v_i^2$", "largest share of one example in the top eigenvector"),
    "jacobian_alpha": COLUMNS["softmax_alpha"],
    "jacobian_logit_alpha": COLUMNS["logit_alpha"],
    "jacobian_correlation_alpha": COLUMNS["correlation_alpha"],
    "jacobian_log_lambda_max": COLUMNS["softmax_log_spectral_norm"],
    "jacobian_log_norm": _C(r"$\log\,\langle\|J\|_F\rangle$", "log10 of the mean norm of an example's Jacobian"),
    "jacobian_logit_log_norm": _C(r"$\log\,\langle\|J_z\|_F\rangle$", "the same of the scores"),
    "jacobian_rank": _C(r"$\mathrm{rank}\,\mathbf{M}$", "eigenvalues of M above the resolution of the gradients"),
    "jacobian_effective_rank": _C(r"$\mathcal{R}_{\mathrm{eff}}$", "effective rank of M"),
    "jacobian_alignment": _C(r"$A$", "centred kernel alignment of the correlation matrix with the classes"),
}
