rule compute_esd:
    """Eigenvalues of every matrix of a model, and of its element-wise permutations."""
    input:
        code=code("compute_esd"),
        layers="<results>/extract_layers/{model}.safetensors",
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
        settings=settings("compute_esd"),
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
        settings=settings("fit_power_law"),
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
