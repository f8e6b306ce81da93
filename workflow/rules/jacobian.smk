rule compute_jacobian:
    """Jacobians of the networks of a series or a sweep by their images, and the spectra of these."""
    input:
        code=code("compute_jacobian"),
        weights=of_jacobians(weights_of),
        states=of_jacobians(states_of),
        images=IMAGES,
    output:
        esd="<results>/compute_jacobian/{jacobian}.safetensors",
        listing="<results>/compute_jacobian/{jacobian}.csv",
        detail="<results>/compute_jacobian/{jacobian}_detail.safetensors",
    log:
        "<logs>/compute_jacobian/{jacobian}.log",
    benchmark:
        "<benchmarks>/compute_jacobian/{jacobian}.tsv"
    conda:
        "../../environment.yml"
    threads: cfg["compute_jacobian"]["threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings("compute_jacobian"),
        measured=jacobian_overrides,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.compute_jacobian {params.settings:q} {params.measured:q} {params.inputs:q} \
            esd={output.esd} listing={output.listing} detail={output.detail} >{log} 2>&1
        """


rule collect_jacobians:
    """One table of the spectra of all Jacobians."""
    input:
        code=code("collect_jacobians"),
        listings=of_all_jacobians("compute_jacobian/*.csv"),
        fits=of_all_jacobians("fit_power_law/*_jacobian.csv"),
        measures=of_all_jacobians("measure_layers/*_jacobian.csv"),
    output:
        table="<results>/collect_jacobians/jacobians.csv",
    log:
        "<logs>/collect_jacobians.log",
    benchmark:
        "<benchmarks>/collect_jacobians.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        names=jacobian_names,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.collect_jacobians {params.names:q} {params.inputs:q} \
            table={output.table} >{log} 2>&1
        """
