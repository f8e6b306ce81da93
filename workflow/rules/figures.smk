# The inputs of each figure's stage, and its settings; the stage of figure NAME is plot_NAME.
SPECTRA_OF_LAYERS = {
    "spectra": of_shown_models("compute_esd/*.safetensors"),
    "fits": of_shown_models("fit_power_law/*.csv"),
}
REGRESSED = {
    "metrics": of_regressed("collect_metrics/*.csv"),
    "regressions": f"{RESULTS}/regress_accuracy/regressions.csv",
}
LAYERS = {"layers": of_series("collect_metrics/*_layers.csv")}
TITLES, SCALE = labels("titles"), labels("normalization")

FIGURES = {
    # models
    "esd": (SPECTRA_OF_LAYERS, [settings("plot_esd"), shown_titles]),
    "alpha_histogram": (LAYERS, [TITLES]),
    "accuracy": (REGRESSED, [TITLES, SCALE]),
    "norms": (REGRESSED, [TITLES, SCALE]),
    "stable_rank": (LAYERS, [TITLES, SCALE]),
    "comparison": (LAYERS, [settings("comparison"), SCALE]),
}
ABSENT_FIGURES = [] if COMPARED else ["comparison"]

for figure in FIGURES:

    rule:
        name:
            f"plot_{figure}"
        input:
            **FIGURES[figure][0],
            code=code(f"plot_{figure}"),
        output:
            pdf=report(
                f"<results>/figures/{figure}.pdf",
                category="Figures",
                caption=f"../report/{figure}.rst",
            ),
            png=f"<results>/figures/{figure}.png",
            csv=f"<results>/figures/{figure}.csv",
        log:
            f"<logs>/plot_{figure}.log",
        benchmark:
            f"<benchmarks>/plot_{figure}.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            stage=f"plot_{figure}",
            settings=joined(*FIGURES[figure][1]),
            inputs=input_overrides,
        shell:
            """
            python -m htsr.stages.{params.stage} {params.settings:q} {params.inputs:q} \
                pdf={output.pdf} png={output.png} csv={output.csv} >{log} 2>&1
            """
