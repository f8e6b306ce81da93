rule train_model:
    """Train one network of the project's own."""
    input:
        code=code("train_model"),
        start=start_weights,
    output:
        weights="<results>/train_model/{model}.safetensors",
        history="<results>/train_model/{model}.csv",
    log:
        "<logs>/train_model/{model}.log",
    benchmark:
        "<benchmarks>/train_model/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        settings=training_overrides,
        start=start_override,
    shell:
        """
        python -m htsr.stages.train_model {params.settings:q} {params.start:q} \
            weights={output.weights} history={output.history} >{log} 2>&1
        """
