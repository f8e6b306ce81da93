rule download_dataset:
    """Fetch one data set, verify it, keep its images and labels."""
    input:
        code=code("download_dataset"),
        files=dataset_files,
    output:
        images="<results>/download_dataset/{dataset}.safetensors",
    log:
        "<logs>/download_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/download_dataset/{dataset}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings("download_model"),
        dataset=dataset_overrides("name", "source"),
        mirror=mirror,
    shell:
        """
        python -m htsr.stages.download_dataset {params.settings:q} {params.dataset:q} {params.mirror:q} \
            images={output.images} >{log} 2>&1
        """


rule train_model:
    """Train one network of the project's own."""
    input:
        code=code("train_model"),
        images=IMAGES,
        start=lambda wildcards: start_weights(wildcards.model),
    output:
        weights="<results>/train_model/{model}.safetensors",
        states="<results>/train_model/{model}_states.safetensors",
        history="<results>/train_model/{model}.csv",
    log:
        "<logs>/train_model/{model}.log",
    benchmark:
        "<benchmarks>/train_model/{model}.tsv"
    wildcard_constraints:
        model="|".join(trained_alone()) or "none",
    conda:
        "../../environment.yml"
    threads: training_threads
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=training_overrides,
    shell:
        """
        python -m htsr.stages.train_model {params.settings:q} images={input.images} \
            weights={output.weights} states={output.states} history={output.history} >{log} 2>&1
        """


for batch, names in TOGETHER.items():

    rule:
        name:
            f"train_model_{batch}"
        input:
            code=code("train_model"),
            images=IMAGES,
            start=start_weights(*names),
        output:
            [file for name in names for file in trained_files(name).values()],
        log:
            f"<logs>/train_model/{batch}.log",
        benchmark:
            f"<benchmarks>/train_model/{batch}.tsv"
        conda:
            "../../environment.yml"
        threads: max(training(name)["threads"] for name in names)
        resources:
            mem_mb=4000,
            runtime=120,
        params:
            trainings=trainings_together(names),
        shell:
            "python -m htsr.stages.train_model {params.trainings:q} >{log} 2>&1"


rule extract_sweep:
    """Turn the weights of a sweep's networks over time into matrices."""
    input:
        code=code("extract_sweep"),
        states=of_sweep("train_model/*_states.safetensors"),
    output:
        layers="<results>/extract_sweep/{sweep}.safetensors",
        listing="<results>/extract_sweep/{sweep}.csv",
    log:
        "<logs>/extract_sweep/{sweep}.log",
    benchmark:
        "<benchmarks>/extract_sweep/{sweep}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("extract_layers"),
        networks=sweep_overrides("networks"),
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.extract_sweep sweep={wildcards.sweep} {params.settings:q} {params.networks:q} \
            {params.inputs:q} layers={output.layers} listing={output.listing} >{log} 2>&1
        """


rule collect_sweep:
    """One table of all layers of a sweep over time, and one of its networks."""
    input:
        code=code("collect_sweep"),
        listing="<results>/extract_sweep/{sweep}.csv",
        fits="<results>/fit_power_law/{sweep}.csv",
        measures="<results>/measure_layers/{sweep}.csv",
        states=of_sweep("train_model/*_states.safetensors"),
        histories=of_sweep("train_model/*.csv"),
        measured=of_measured,
    output:
        table="<results>/collect_sweep/{sweep}.csv",
        metrics="<results>/collect_sweep/{sweep}_networks.csv",
    log:
        "<logs>/collect_sweep/{sweep}.log",
    benchmark:
        "<benchmarks>/collect_sweep/{sweep}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        sweep=sweep_overrides("networks", "labels", "title"),
        inputs=input_overrides,
        measured=measured_override,
    shell:
        """
        python -m htsr.stages.collect_sweep sweep={wildcards.sweep} {params.sweep:q} {params.inputs:q} {params.measured:q} \
            table={output.table} metrics={output.metrics} >{log} 2>&1
        """
