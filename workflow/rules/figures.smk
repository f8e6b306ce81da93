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
MEASURES = {"measures": of_shown_models("measure_layers/*.csv")}
VECTORS = {
    "vectors": of_shown_models("measure_vectors/*.safetensors"),
    "shown": of_shown_models("measure_vectors/*.csv"),
    "tables": [f"{RESULTS}/measure_vectors/{model}.csv" for model in MODELS],
}
ENSEMBLES = {"ensembles": f"{RESULTS}/collect_ensembles/ensembles.csv"}
SAMPLED = {"spectra": of_ensembles("sample_ensemble/*.safetensors")}
VALIDATIONS = {"validations": f"{RESULTS}/validate_estimators/validations.csv"}
SHOWN = [settings("plot_esd"), shown_titles]
TITLES, SCALE = labels("titles"), labels("normalization")

LEVEL = spike_level
TRAINED = [name for name, model in MODELS.items() if model["source"] == "trained"]

FIGURES = {
    # models
    "esd": (SPECTRA_OF_LAYERS, SHOWN),
    "alpha_histogram": (LAYERS, [TITLES]),
    "accuracy": (REGRESSED, [TITLES, SCALE]),
    "norms": (REGRESSED, [TITLES, SCALE]),
    "published_accuracy": (of_published("metrics", "regressions"), [published_labels]),
    "stable_rank": (LAYERS, [TITLES, SCALE]),
    "comparison": (LAYERS, [settings("comparison"), SCALE]),
    # layers
    "zoom": (SPECTRA_OF_LAYERS | MEASURES, [*SHOWN, spike_level]),
    "complexity": (SPECTRA_OF_LAYERS, SHOWN),
    "feature_maps": (SPECTRA_OF_LAYERS, [shown_titles]),
    "alpha_kinds": (LAYERS, []),
    "localization": (VECTORS, [*SHOWN, SCALE]),
    "stability": (SPECTRA_OF_LAYERS, SHOWN),
    # random matrices and samples of known exponent
    "laws": (ENSEMBLES | SAMPLED, []),
    "spikes": (ENSEMBLES | SAMPLED, [settings("plot_spikes")]),
    "heavy_tails": (ENSEMBLES | SAMPLED, []),
    "finite_size": (ENSEMBLES, [entries("published")]),
    "phases": (ENSEMBLES | SAMPLED, []),
    "phase_rates": (ENSEMBLES, []),
    "estimators": (VALIDATIONS, []),
    # trainings
    "training_curves": (
        {"histories": [f"{RESULTS}/train_model/{name}.csv" for name in TRAINED]},
        [names_and_series(TRAINED), TITLES],
    ),
    "batch_size": (
        of_part("batch_size"),
        [axes_of("batch_size"), published_batch_size, SCALE],
    ),
    "batch_esds": (
        of_part("batch_size", spectra=True),
        [axes_of("batch_size"), shown_layer, LEVEL],
    ),
    "epochs": (of_part("epochs"), [axes_of("epochs"), SCALE]),
    "scree": (of_part("epochs", spectra=True), [axes_of("epochs")]),
    "random_labels": (
        of_part("labels", spectra=True),
        [axes_of("labels"), shown_layer, LEVEL],
    ),
    "phase_plane": (of_part("plane"), [axes_of("plane"), shown_layer]),
    "regularizers": (of_part("regularization"), [axes_of("regularization"), SCALE]),
    "generalization": (
        of_all_sweeps(networks="networks", regressions="regressions"),
        [titles_of_sweeps("titles"), SCALE],
    ),
    # Jacobians
    "jacobian_spectra": (of_jacobian_figure(detailed=True), [dataset_name]),
    "jacobian_levels": (of_jacobian_figure(detailed=True), [dataset_name]),
    "jacobian_diagonal": (
        of_jacobian_figure(detailed=True),
        [titles_of_all, dataset_name],
    ),
    "jacobian_heatmap": (
        of_jacobian_figure(detailed=True, drawn="details"),
        [dataset_name],
    ),
    "jacobian_directions": (
        of_jacobian_figure(detailed=True, drawn="details"),
        [dataset_name],
    ),
    "jacobian_labels": (
        of_jacobian_figure(part="labels"),
        [axes_of("labels"), dataset_name],
    ),
    "jacobian_batch_size": (
        of_jacobian_figure(part="batch_size"),
        [settings("regress_accuracy"), axes_of("batch_size"), dataset_name],
    ),
    "jacobian_accuracy": (
        of_jacobian_figure(
            regressions=REGRESSED["regressions"],
            **of_all_sweeps(sweep_regressions="regressions"),
        ),
        [titles_of_all, dataset_name],
    ),
    "jacobian_depth": ({}, [settings("plot_jacobian_depth")]),
    "jacobian_trends": (
        (
            of_all_sweeps(networks="networks")
            | {"jacobians": f"{RESULTS}/collect_jacobians/jacobians.csv"}
            if measured_parts() & {"epochs", "size"}
            else {}
        ),
        [parts_of_sweeps, dataset_name],
    ),
    # loss landscapes
    "surface_contours": (
        of_surface_figure(
            ("random", 2), points="points", summary="summary", networks="networks"
        ),
        [settings("plot_surface"), axes_of_all, dataset_name],
    ),
    "surface_planes": (
        of_surface_figure(
            ("random", 2),
            ("through", 2),
            points="points",
            places="places",
            summary="summary",
            networks="networks",
        ),
        [settings("plot_surface"), axes_of_all, dataset_name],
    ),
    "surface_3d": (
        of_surface_figure(
            ("random", 2), points="points", summary="summary", networks="networks"
        ),
        [settings("plot_surface"), axes_of_all, dataset_name],
    ),
    "surface_lines": (
        of_surface_figure(("random", 1), points="points", networks="networks"),
        [settings("plot_surface"), axes_of_all, dataset_name],
    ),
    "surface_shortcuts": (
        (
            of_surface_figure(("random", 1), points="points", networks="networks")
            if any("shortcuts" in entry["over"] for entry in cfg["sweeps"].values())
            else {}
        ),
        [settings("plot_surface"), axes_of_all, dataset_name],
    ),
    "surface_paths": (
        of_surface_figure(
            ("interpolation", 1),
            ("bezier", 1),
            points="points",
            summary="summary",
            networks="networks",
        ),
        [axes_of_all, dataset_name],
    ),
    "sharpness": (
        of_surface_figure(
            ("random", 1),
            ("random", 2),
            summary="summary",
            ends="ends",
            networks="networks",
        ),
        [settings("regress_accuracy"), titles_of_all, dataset_name],
    ),
    "trajectories": (
        of_surface_figure(
            ("pca", 2),
            points="points",
            places="places",
            coordinates="coordinates",
            explained="explained",
            networks="networks",
        ),
        [axes_of_all, dataset_name, walk_level],
    ),
    "hessian_ends": (
        of_hessian_figure("ends", ends="ends", networks="networks"),
        [axes_of_all, dataset_name],
    ),
    "hessian_ratio": (
        of_hessian_figure("planes", planes="planes", networks="networks"),
        [axes_of_all, dataset_name],
    ),
    "hessian_density": (
        of_hessian_figure(
            "densities", densities="densities", ends="ends", networks="networks"
        ),
        [axes_of_all, dataset_name],
    ),
    "hessian_scales": (
        of_hessian_figure(
            "curvatures", curvatures="curvatures", ends="ends", networks="networks"
        ),
        [axes_of_all, dataset_name],
    ),
}
OF_ENSEMBLES = [name for name, (files, _) in FIGURES.items() if "ensembles" in files]
ABSENT_FIGURES = [
    *([] if COMPARED else ["comparison"]),
    *([] if cfg["ensembles"] else OF_ENSEMBLES),
    *(
        name
        for name, (files, _) in FIGURES.items()
        if not any(files.values())
        and (name != "jacobian_depth" or not cfg["jacobians"])  # it needs no files
    ),
]

for figure in [name for name in FIGURES if name not in ABSENT_FIGURES]:

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
