rule download_model:
    """Fetch one published checkpoint, verify it, load it safely, keep its tensors."""
    input:
        code=code("download_model"),
        file=model_file,
    output:
        weights="<results>/download_model/{model}.safetensors",
    log:
        "<logs>/download_model/{model}.log",
    benchmark:
        "<benchmarks>/download_model/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("download_model"),
        model=model_overrides,
        mirror=mirror,
    shell:
        """
        python -m htsr.stages.download_model {params.settings:q} \
            {params.model:q} {params.mirror:q} weights={output.weights} >{log} 2>&1
        """


rule extract_layers:
    """Turn a model's weights into matrices."""
    input:
        code=code("extract_layers"),
        weights=model_weights,
    output:
        layers="<results>/extract_layers/{model}.safetensors",
        listing="<results>/extract_layers/{model}.csv",
    log:
        "<logs>/extract_layers/{model}.log",
    benchmark:
        "<benchmarks>/extract_layers/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings("extract_layers"),
    shell:
        """
        python -m htsr.stages.extract_layers {params.settings:q} \
            weights={input.weights} layers={output.layers} listing={output.listing} >{log} 2>&1
        """


rule smooth_model:
    """Rebuild a model's layers from part of their singular values, as new weights."""
    input:
        code=code("smooth_model"),
        weights=smoothed_file(weights),
        measures=smoothed_file(f"{RESULTS}/measure_layers/*.csv"),
        fits=smoothed_file(f"{RESULTS}/fit_power_law/*.csv"),
        images=smoothed_images,
    output:
        smoothed="<results>/smooth_model/{smoothing}.safetensors",
        listing="<results>/smooth_model/{smoothing}.csv",
        summary="<results>/smooth_model/{smoothing}_summary.csv",
    log:
        "<logs>/smooth_model/{smoothing}.log",
    benchmark:
        "<benchmarks>/smooth_model/{smoothing}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("extract_layers"),
        smoothing=smoothing_overrides,
        images=images_override,
    shell:
        """
        python -m htsr.stages.smooth_model {params.settings:q} {params.smoothing:q} {params.images:q} \
            weights={input.weights} measures={input.measures} fits={input.fits} \
            smoothed={output.smoothed} listing={output.listing} summary={output.summary} >{log} 2>&1
        """
