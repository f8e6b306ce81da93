rule compile_paper:
    """Typeset one paper; the results that its TeX names are its inputs."""
    input:
        code=code("compile_paper"),
        tex="paper/{paper}/main.tex",
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
        results=RESULTS,
    shell:
        """
        python -m htsr.stages.compile_paper tex={input.tex} \
            results={params.results} pdf={output.pdf} > {log} 2>&1
        """
