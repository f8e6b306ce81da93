rule collect_metrics:
    """One table of models and one of layers for a series."""
    input:
        code=code("collect_metrics"),
        listings=of_models("extract_layers/*.csv"),
        esds=of_models("compute_esd/*.safetensors"),
        fits=of_models("fit_power_law/*.csv"),
        measures=of_models("measure_layers/*.csv"),
        vectors=of_models("measure_vectors/*.csv"),
        measured=of_measured,
    output:
        metrics="<results>/collect_metrics/{series}.csv",
        layers="<results>/collect_metrics/{series}_layers.csv",
    log:
        "<logs>/collect_metrics/{series}.log",
    benchmark:
        "<benchmarks>/collect_metrics/{series}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=series_overrides,
        inputs=input_overrides,
        measured=measured_override,
    shell:
        """
        python -m htsr.stages.collect_metrics {params.settings:q} {params.inputs:q} {params.measured:q} \
            metrics={output.metrics} layers={output.layers} >{log} 2>&1
        """


rule collect_published:
    """One table of models and one of layers of a series that others have measured."""
    input:
        code=code("collect_published"),
    output:
        metrics="<results>/collect_published/{published}.csv",
        layers="<results>/collect_published/{published}_layers.csv",
    log:
        "<logs>/collect_published/{published}.log",
    benchmark:
        "<benchmarks>/collect_published/{published}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=settings("download_model"),
        series=published_overrides,
        mirror=mirror,
    shell:
        """
        python -m htsr.stages.collect_published {params.settings:q} {params.series:q} {params.mirror:q} \
            metrics={output.metrics} layers={output.layers} >{log} 2>&1
        """


rule collect_ensembles:
    """One table of the spectra of all ensembles."""
    input:
        code=code("collect_ensembles"),
        listings=of_ensembles("sample_ensemble/*.csv"),
        fits=of_ensembles("fit_power_law/*.csv"),
        measures=of_ensembles("measure_layers/*.csv"),
    output:
        table="<results>/collect_ensembles/ensembles.csv",
    log:
        "<logs>/collect_ensembles.log",
    benchmark:
        "<benchmarks>/collect_ensembles.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        names=ensemble_names,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.collect_ensembles {params.names:q} {params.inputs:q} \
            table={output.table} >{log} 2>&1
        """


rule regress_accuracy:
    """Regression and rank correlation of error, accuracy and gap on every metric, by series or sweep and pooled."""
    input:
        code=code("regress_accuracy"),
        metrics=regressed_tables,
    output:
        regressions="<results>/regress_accuracy/{collection}.csv",
    log:
        "<logs>/regress_accuracy/{collection}.log",
    benchmark:
        "<benchmarks>/regress_accuracy/{collection}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("regress_accuracy"),
        metrics=hydra_list("metrics"),
    shell:
        """
        python -m htsr.stages.regress_accuracy {params.settings:q} \
            metrics={params.metrics:q} regressions={output.regressions} >{log} 2>&1
        """


rule judge_claims:
    """Judge the published claims by this experiment's numbers."""
    input:
        **of_theory(ensembles="collect_ensembles/ensembles.csv"),
        **of_all_sweeps(
            sweeps="tables",
            networks="networks",
            sweep_regressions="regressions",
            label_spectra="label_spectra",
        ),
        **of_jacobian_tables(details=True),
        **of_landscape_tables(),
        **of_published(),
        code=code("judge_claims"),
        metrics=of_regressed("collect_metrics/*.csv"),
        layers=of_series("collect_metrics/*_layers.csv"),
        regressions="<results>/regress_accuracy/regressions.csv",
    output:
        verdicts="<results>/judge_claims/claims.csv",
    log:
        "<logs>/judge_claims.log",
    benchmark:
        "<benchmarks>/judge_claims.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("judge_claims"),
        claims=claims_override,
        comparison=joined(entries("comparison"), parts_of_sweeps),
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.judge_claims {params.settings:q} {params.claims:q} {params.comparison:q} \
            {params.inputs:q} verdicts={output.verdicts} >{log} 2>&1
        """
