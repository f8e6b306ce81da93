RESULTS_OF_EXPERIMENT = {
    "metrics": of_series("collect_metrics/*.csv"),
    "layers": of_series("collect_metrics/*_layers.csv"),
    "regressions": f"{RESULTS}/regress_accuracy/regressions.csv",
    "claims": f"{RESULTS}/judge_claims/claims.csv",
    "validations": f"{RESULTS}/validate_estimators/validations.csv",
    "summaries": [
        f"{RESULTS}/smooth_model/{name}_summary.csv" for name in cfg["smoothing"]
    ],
    **of_theory(ensembles="collect_ensembles/ensembles.csv"),
    **of_all_sweeps(
        sweeps="tables", networks="networks", sweep_regressions="regressions"
    ),
    **of_landscape_tables(),
    **of_published(),
}


rule make_tables:
    """LaTeX tables of the papers."""
    input:
        **RESULTS_OF_EXPERIMENT,
        **of_jacobian_tables(),
        code=code("make_tables"),
        esds=[f"{RESULTS}/compute_esd/{model}.safetensors" for model in MODELS],
        pairs=[f"{RESULTS}/compare_models/{pair}.csv" for pair in cfg["model_pairs"]],
    output:
        **{name: f"<results>/tables/{name}.tex" for name in TABLES},
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
        labels=labels("titles", "model_titles", "normalization"),
        published=joined(entries("published"), published_labels),
        sweeps=joined(parts_of_sweeps, titles_of_sweeps("sweep_titles")),
        inputs=input_overrides,
        tables=tables_override,
    shell:
        """
        python -m htsr.stages.make_tables {params.labels:q} {params.published:q} {params.sweeps:q} {params.inputs:q} \
            {params.tables:q} >{log} 2>&1
        """


rule make_values:
    """Every number that a paper's text may want, as LaTeX macros."""
    input:
        **RESULTS_OF_EXPERIMENT,
        **of_jacobian_tables(details=True),
        code=code("make_values"),
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
        labels=joined(labels("titles"), published_labels),
        settings=printed_settings,
        sweeps=joined(parts_of_sweeps, titles_of_sweeps("sweep_titles")),
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.make_values {params.labels:q} {params.settings:q} {params.sweeps:q} {params.inputs:q} \
            values={output.values} >{log} 2>&1
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
