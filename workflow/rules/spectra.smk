rule compute_esd:
    """Eigenvalues of every matrix of a model, and of its element-wise permutations."""
    input:
        code=code("compute_esd"),
        layers=layers_file,
    output:
        esd="<results>/compute_esd/{model}.safetensors",
    log:
        "<logs>/compute_esd/{model}.log",
    benchmark:
        "<benchmarks>/compute_esd/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings_of_spectra("compute_esd"),
    shell:
        """
        python -m htsr.stages.compute_esd {params.settings:q} \
            layers={input.layers} esd={output.esd} >{log} 2>&1
        """


rule sample_ensemble:
    """Spectra of random matrices of known law, in the form of a model's spectra."""
    input:
        code=code("sample_ensemble"),
    output:
        esd="<results>/sample_ensemble/{model}.safetensors",
        listing="<results>/sample_ensemble/{model}.csv",
    log:
        "<logs>/sample_ensemble/{model}.log",
    benchmark:
        "<benchmarks>/sample_ensemble/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings("sample_ensemble"),
        ensemble=ensemble_overrides,
    shell:
        """
        python -m htsr.stages.sample_ensemble {params.settings:q} {params.ensemble:q} \
            esd={output.esd} listing={output.listing} >{log} 2>&1
        """


rule fit_power_law:
    """Fit power law and rivals to every spectrum of a model or an ensemble."""
    input:
        code=code("fit_power_law"),
        esd=spectra_file,
    output:
        fits="<results>/fit_power_law/{model}.csv",
    log:
        "<logs>/fit_power_law/{model}.log",
    benchmark:
        "<benchmarks>/fit_power_law/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of_spectra("fit_power_law"),
    shell:
        """
        python -m htsr.stages.fit_power_law {params.settings:q} \
            esd={input.esd} fits={output.fits} >{log} 2>&1
        """


rule measure_layers:
    """Norms, ranks, entropies, Marchenko-Pastur edge and phase of every spectrum of a model or an ensemble."""
    input:
        code=code("measure_layers"),
        esd=spectra_file,
        fits="<results>/fit_power_law/{model}.csv",
    output:
        measures="<results>/measure_layers/{model}.csv",
    log:
        "<logs>/measure_layers/{model}.log",
    benchmark:
        "<benchmarks>/measure_layers/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings("measure_layers"),
    shell:
        """
        python -m htsr.stages.measure_layers {params.settings:q} \
            esd={input.esd} fits={input.fits} measures={output.measures} >{log} 2>&1
        """


rule measure_vectors:
    """Localization of the singular vectors of every matrix of a model, spikes and bulk."""
    input:
        code=code("measure_vectors"),
        layers="<results>/extract_layers/{model}.safetensors",
        measures="<results>/measure_layers/{model}.csv",
    output:
        table="<results>/measure_vectors/{model}.csv",
        vectors="<results>/measure_vectors/{model}.safetensors",
    log:
        "<logs>/measure_vectors/{model}.log",
    benchmark:
        "<benchmarks>/measure_vectors/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("measure_vectors"),
    shell:
        """
        python -m htsr.stages.measure_vectors {params.settings:q} layers={input.layers} \
            measures={input.measures} table={output.table} vectors={output.vectors} >{log} 2>&1
        """


rule compare_models:
    """Distances between the spectra, weights and singular spaces of two models, beside chance."""
    input:
        code=code("compare_models"),
        first=pair_layers(0),
        second=pair_layers(1),
    output:
        comparison="<results>/compare_models/{pair}.csv",
    log:
        "<logs>/compare_models/{pair}.log",
    benchmark:
        "<benchmarks>/compare_models/{pair}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("compare_models"),
        level=spike_level,
    shell:
        """
        python -m htsr.stages.compare_models {params.settings:q} {params.level:q} \
            first={input.first} second={input.second} comparison={output.comparison} >{log} 2>&1
        """


rule validate_estimators:
    """Bias, scatter and coverage of the tail estimators on samples of known exponent."""
    input:
        code=code("validate_estimators"),
    output:
        validations="<results>/validate_estimators/validations.csv",
    log:
        "<logs>/validate_estimators.log",
    benchmark:
        "<benchmarks>/validate_estimators.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings("validate_estimators"),
    shell:
        """
        python -m htsr.stages.validate_estimators {params.settings:q} \
            validations={output.validations} >{log} 2>&1
        """
