rule project_trajectory:
    """The course of trainings on the plane of their principal components, beside a random walk's."""
    input:
        code=code("project_trajectory"),
        states=surface_networks("followed", states_of),
        histories=surface_networks("followed", history_of),
    output:
        coordinates="<results>/project_trajectory/{surfaces}.csv",
        explained="<results>/project_trajectory/{surfaces}_explained.csv",
        directions="<results>/project_trajectory/{surfaces}.safetensors",
    log:
        "<logs>/project_trajectory/{surfaces}.log",
    benchmark:
        "<benchmarks>/project_trajectory/{surfaces}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("project_trajectory"),
        networks=surface_overrides("followed", "name", "names"),
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.project_trajectory {params.settings:q} {params.networks:q} {params.inputs:q} \
            coordinates={output.coordinates} explained={output.explained} directions={output.directions} >{log} 2>&1
        """


rule evaluate_surface:
    """Loss and accuracy on lines, planes and curves in the space of weights; one tile of a set of surfaces."""
    input:
        code=code("evaluate_surface"),
        weights=surface_networks("all", weights_of),
        states=surface_networks("all", states_of),
        images=IMAGES,
        directions=followed_directions,
    output:
        points="<results>/evaluate_surface/{surfaces}_{tile}.csv",
        checkpoints="<results>/evaluate_surface/{surfaces}_{tile}_checkpoints.csv",
    log:
        "<logs>/evaluate_surface/{surfaces}_{tile}.log",
    benchmark:
        "<benchmarks>/evaluate_surface/{surfaces}_{tile}.tsv"
    conda:
        "../../environment.yml"
    threads: cfg["evaluate_surface"]["threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings("evaluate_surface"),
        surfaces=surface_overrides("all", "name", "names", "set"),
        directions=directions_override,
        resume=surface_resume,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.evaluate_surface {params.settings:q} {params.surfaces:q} tile={wildcards.tile} \
            {params.inputs:q} {params.directions:q} {params.resume:q} points={output.points} \
            checkpoints={output.checkpoints} >{log} 2>&1
        """


rule collect_surfaces:
    """One table of the points of all surfaces, tiles joined, and one of their measures."""
    input:
        code=code("collect_surfaces"),
        points=of_tiles(""),
        checkpoints=of_tiles("_checkpoints"),
    output:
        table="<results>/collect_surfaces/points.csv",
        places="<results>/collect_surfaces/checkpoints.csv",
        summary="<results>/collect_surfaces/summary.csv",
    log:
        "<logs>/collect_surfaces.log",
    benchmark:
        "<benchmarks>/collect_surfaces.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.collect_surfaces {params.inputs:q} table={output.table} places={output.places} \
            summary={output.summary} >{log} 2>&1
        """


rule export_surfaces:
    """Every surface of two dimensions as one page for a browser, and for ParaView."""
    input:
        code=[*code("export_surfaces"), "src/htsr/figures/surface_page.html"],
        points="<results>/collect_surfaces/points.csv",
        places="<results>/collect_surfaces/checkpoints.csv",
        summary="<results>/collect_surfaces/summary.csv",
        networks=[home_table(name) for name in landscape_homes()],
    output:
        html=report(
            "<results>/figures/surfaces.html",
            category="Figures",
            caption="../report/export_surfaces.rst",
        ),
        vtk="<results>/export_surfaces/surfaces.zip",
    log:
        "<logs>/export_surfaces.log",
    benchmark:
        "<benchmarks>/export_surfaces.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=joined(axes_of_all, surface_sets),
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.export_surfaces {params.settings:q} {params.inputs:q} \
            html={output.html} vtk={output.vtk} >{log} 2>&1
        """


rule compute_hessian:
    """Ends, traces, densities and spectra of Hessians, and curvature across scales."""
    input:
        code=code("compute_hessian"),
        weights=hessian_networks(weights_of),
        states=hessian_networks(states_of),
        images=IMAGES,
    output:
        ends="<results>/compute_hessian/{hessians}.csv",
        curvature="<results>/compute_hessian/{hessians}_curvature.csv",
        plane="<results>/compute_hessian/{hessians}_plane.csv",
        density="<results>/compute_hessian/{hessians}_density.safetensors",
        esd="<results>/compute_hessian/{hessians}.safetensors",
    log:
        "<logs>/compute_hessian/{hessians}.log",
    benchmark:
        "<benchmarks>/compute_hessian/{hessians}.tsv"
    conda:
        "../../environment.yml"
    threads: cfg["compute_hessian"]["threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings("compute_hessian"),
        hessians=hessian_overrides,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.compute_hessian {params.settings:q} {params.hessians:q} {params.inputs:q} \
            ends={output.ends} curvature={output.curvature} plane={output.plane} density={output.density} \
            esd={output.esd} >{log} 2>&1
        """


rule compare_solutions:
    """Distance, cosine, CKA and agreement of pairs of networks."""
    input:
        code=code("compare_solutions"),
        weights=[weights_of(name) for name in solution_networks()],
        images=IMAGES,
    output:
        similarities="<results>/compare_solutions/pairs.csv",
    log:
        "<logs>/compare_solutions.log",
    benchmark:
        "<benchmarks>/compare_solutions.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings("compare_solutions"),
        pairs=solution_overrides,
        inputs=input_overrides,
    shell:
        """
        python -m htsr.stages.compare_solutions {params.settings:q} {params.pairs:q} {params.inputs:q} \
            similarities={output.similarities} >{log} 2>&1
        """
