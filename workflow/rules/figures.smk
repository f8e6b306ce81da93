rule plot_esd:
    """Spectra of selected layers with their fits and nulls."""
    input:
        code=code("plot_esd"),
        spectra=of_shown_models("compute_esd/*.safetensors"),
        fits=of_shown_models("fit_power_law/*.csv"),
    output:
        pdf=report(
            "<results>/figures/esd.pdf",
            category="Figures",
            caption="../report/esd.rst",
        ),
        png="<results>/figures/esd.png",
        csv="<results>/figures/esd.csv",
    log:
        "<logs>/plot_esd.log",
    benchmark:
        "<benchmarks>/plot_esd.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=settings("plot_esd"),
        names=shown_titles,
        spectra=hydra_list("spectra"),
        fits=hydra_list("fits"),
    shell:
        """
        python -m htsr.stages.plot_esd {params.settings:q} {params.names:q} \
            spectra={params.spectra:q} fits={params.fits:q} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """


rule plot_alpha_histogram:
    """All exponents of the experiment beside those of their nulls."""
    input:
        code=code("plot_alpha_histogram"),
        layers=of_series("collect_metrics/*_layers.csv"),
    output:
        pdf=report(
            "<results>/figures/alpha_histogram.pdf",
            category="Figures",
            caption="../report/alpha_histogram.rst",
        ),
        png="<results>/figures/alpha_histogram.png",
        csv="<results>/figures/alpha_histogram.csv",
    log:
        "<logs>/plot_alpha_histogram.log",
    benchmark:
        "<benchmarks>/plot_alpha_histogram.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles"),
        layers=hydra_list("layers"),
    shell:
        """
        python -m htsr.stages.plot_alpha_histogram {params.labels:q} layers={params.layers:q} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """


rule plot_accuracy:
    """Mean exponent and weighted exponent against accuracy."""
    input:
        code=code("plot_accuracy"),
        metrics=of_regressed("collect_metrics/*.csv"),
        regressions="<results>/regress_accuracy/regressions.csv",
    output:
        pdf=report(
            "<results>/figures/accuracy.pdf",
            category="Figures",
            caption="../report/accuracy.rst",
        ),
        png="<results>/figures/accuracy.png",
        csv="<results>/figures/accuracy.csv",
    log:
        "<logs>/plot_accuracy.log",
    benchmark:
        "<benchmarks>/plot_accuracy.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles", "normalization"),
        metrics=hydra_list("metrics"),
    shell:
        """
        python -m htsr.stages.plot_accuracy {params.labels:q} \
            metrics={params.metrics:q} regressions={input.regressions} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """


rule plot_norms:
    """Norm metrics against accuracy."""
    input:
        code=code("plot_norms"),
        metrics=of_regressed("collect_metrics/*.csv"),
        regressions="<results>/regress_accuracy/regressions.csv",
    output:
        pdf=report(
            "<results>/figures/norms.pdf",
            category="Figures",
            caption="../report/norms.rst",
        ),
        png="<results>/figures/norms.png",
        csv="<results>/figures/norms.csv",
    log:
        "<logs>/plot_norms.log",
    benchmark:
        "<benchmarks>/plot_norms.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles", "normalization"),
        metrics=hydra_list("metrics"),
    shell:
        """
        python -m htsr.stages.plot_norms {params.labels:q} \
            metrics={params.metrics:q} regressions={input.regressions} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """


rule plot_stable_rank:
    """Exponent against log stable rank, matrix by matrix."""
    input:
        code=code("plot_stable_rank"),
        layers=of_series("collect_metrics/*_layers.csv"),
    output:
        pdf=report(
            "<results>/figures/stable_rank.pdf",
            category="Figures",
            caption="../report/stable_rank.rst",
        ),
        png="<results>/figures/stable_rank.png",
        csv="<results>/figures/stable_rank.csv",
    log:
        "<logs>/plot_stable_rank.log",
    benchmark:
        "<benchmarks>/plot_stable_rank.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles", "normalization"),
        layers=hydra_list("layers"),
    shell:
        """
        python -m htsr.stages.plot_stable_rank {params.labels:q} layers={params.layers:q} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """


rule plot_comparison:
    """One network dense, regularized and fine-tuned, layer by layer."""
    input:
        code=code("plot_comparison"),
        layers=of_series("collect_metrics/*_layers.csv"),
    output:
        pdf=report(
            "<results>/figures/comparison.pdf",
            category="Figures",
            caption="../report/comparison.rst",
        ),
        png="<results>/figures/comparison.png",
        csv="<results>/figures/comparison.csv",
    log:
        "<logs>/plot_comparison.log",
    benchmark:
        "<benchmarks>/plot_comparison.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        roles=settings("comparison"),
        labels=labels("normalization"),
        layers=hydra_list("layers"),
    shell:
        """
        python -m htsr.stages.plot_comparison {params.roles:q} {params.labels:q} \
            layers={params.layers:q} \
            pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
        """
