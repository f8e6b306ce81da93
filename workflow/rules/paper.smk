rule make_tables:
    """LaTeX tables of models, fits, metrics, regressions, claims and published numbers."""
    input:
        code=code("make_tables"),
        metrics=of_series("collect_metrics/*.csv"),
        layers=of_series("collect_metrics/*_layers.csv"),
        regressions="<results>/regress_accuracy/regressions.csv",
        claims="<results>/judge_claims/claims.csv",
        listing=[f"{RESULTS}/compute_esd/{model}.safetensors" for model in MODELS],
    output:
        layer_fits="<results>/tables/layer_fits.tex",
        model_metrics="<results>/tables/model_metrics.tex",
        regressions_table="<results>/tables/regressions.tex",
        claims_table="<results>/tables/claims.tex",
        models_table="<results>/tables/models.tex",
        published_models="<results>/tables/published_models.tex",
        published_regressions="<results>/tables/published_regressions.tex",
    log:
        "<logs>/make_tables.log",
    benchmark:
        "<benchmarks>/make_tables.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles", "normalization"),
        published=entries("published"),
        metrics=hydra_list("metrics"),
        layers=hydra_list("layers"),
        listing=hydra_list("listing"),
    shell:
        """
        python -m htsr.stages.make_tables {params.labels:q} {params.published:q} \
            metrics={params.metrics:q} layers={params.layers:q} \
            regressions={input.regressions} claims={input.claims} listing={params.listing:q} \
            layer_fits={output.layer_fits} model_metrics={output.model_metrics} \
            regressions_table={output.regressions_table} claims_table={output.claims_table} \
            models_table={output.models_table} published_models={output.published_models} \
            published_regressions={output.published_regressions} >{log} 2>&1
        """


rule make_values:
    """Every number that a paper's text may want, as LaTeX macros."""
    input:
        code=code("make_values"),
        metrics=of_series("collect_metrics/*.csv"),
        layers=of_series("collect_metrics/*_layers.csv"),
        regressions="<results>/regress_accuracy/regressions.csv",
        claims="<results>/judge_claims/claims.csv",
    output:
        values="<results>/values.tex",
    log:
        "<logs>/make_values.log",
    benchmark:
        "<benchmarks>/make_values.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=labels("titles"),
        settings=printed_settings,
        metrics=hydra_list("metrics"),
        layers=hydra_list("layers"),
    shell:
        """
        python -m htsr.stages.make_values {params.labels:q} {params.settings:q} \
            metrics={params.metrics:q} layers={params.layers:q} \
            regressions={input.regressions} claims={input.claims} values={output.values} >{log} 2>&1
        """


rule compile_paper:
    """Typeset one paper; the results that its TeX names are its inputs."""
    input:
        code=code("compile_paper"),
        tex="paper/{paper}/main.tex",
        preamble="paper/preamble.tex",
        bibliography="paper/references.bib",
        named=tex_inputs,
    output:
        pdf=report(
            "<results>/papers/{paper}.pdf",
            category="Papers",
            caption="../report/paper.rst",
        ),
    log:
        "<logs>/compile_paper/{paper}.log",
    benchmark:
        "<benchmarks>/compile_paper/{paper}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=results_folder,
    shell:
        """
        python -m htsr.stages.compile_paper tex={input.tex} \
            results={params.results} pdf={output.pdf} >{log} 2>&1
        """
