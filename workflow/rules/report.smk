rule table:
    "Gather the scores of a study into its table and its summary over seeds, published numbers beside."
    input:
        summaries=study_summaries,
        scores=study_scores,
        published=study_published,
        systems=study_systems,
    output:
        table=report(
            "<results>/{study}.csv",
            caption="../report/table.rst",
            category="{study}",
            labels={"shows": "table of all runs"},
        ),
        summary=report(
            "<results>/{study}_summary.csv",
            caption="../report/summary.rst",
            category="{study}",
            labels={"shows": "summary over seeds"},
        ),
    log:
        "<results>/{study}.table.log",
    params:
        study=study_config,
        code=code("table"),
    shell:
        "python -m asymflow.stages.table --study {params.study:q} --published {input.published}"
        " --systems {input.systems} --table {output.table} --summary {output.summary} > {log} 2>&1"


rule figure:
    "Draw a study: its metrics with their spread over seeds."
    input:
        table="<results>/{study}.csv",
        beside=study_beside,
    output:
        png=report(
            "<results>/figures/{study}.png",
            caption="../report/figure.rst",
            category="{study}",
            labels={"shows": "metric of each arm"},
        ),
        svg="<results>/figures/{study}.svg",
    log:
        "<results>/figures/{study}.figure.log",
    params:
        study=study_config,
        code=code("figure"),
    shell:
        "python -m asymflow.stages.figure --study {params.study:q} --table {input.table} --beside {input.beside}"
        " --figure {output.png} {output.svg} > {log} 2>&1"


rule sample_grid:
    "Show what each arm of a study draws from the same noise and for the same classes."
    input:
        samples=study_pictures,
    output:
        report(
            "<results>/figures/{study}_samples.png",
            caption="../report/sample_grid.rst",
            category="{study}",
            labels={"shows": "samples of each arm"},
        ),
    log:
        "<results>/figures/{study}.sample_grid.log",
    params:
        study=study_config,
        code=code("sample_grid"),
    shell:
        "python -m asymflow.stages.sample_grid --study {params.study:q} --samples {input.samples} --picture {output}"
        " > {log} 2>&1"


rule speedup:
    "Say how much sooner each arm of a study with snapshots is as good as its reference in the end."
    input:
        "<results>/{study}.csv",
    output:
        report(
            "<results>/{study}_speedup.csv",
            caption="../report/speedup.rst",
            category="{study}",
            labels={"shows": "speed-up to equal quality"},
        ),
    log:
        "<results>/{study}.speedup.log",
    params:
        reference=lambda wildcards: experiment.studies[wildcards.study].reference,
        code=code("speedup"),
    shell:
        "python -m asymflow.stages.speedup --reference {params.reference} --table {input} --out {output} > {log} 2>&1"


rule pairs:
    "Say how alike the images of a study's arms are that began with the same noise, against shuffled pairs."
    input:
        samples=study_pictures,
        perceptual=perceptual_file,
        evaluator=evaluator_file,
    output:
        report(
            "<results>/{study}_pairs.csv",
            caption="../report/pairs.rst",
            category="{study}",
            labels={"shows": "how alike paired images are"},
        ),
    log:
        "<results>/{study}.pairs.log",
    params:
        study=study_config,
        evaluator=evaluator_name,
        code=code("pairs"),
    shell:
        "python -m asymflow.stages.pairs --study {params.study:q} --samples {input.samples} --perceptual {input.perceptual}"
        " --evaluator {params.evaluator} --out {output} > {log} 2>&1"


rule crops:
    "Show what each arm of a text-to-image study draws in the middle of the same images."
    input:
        samples=study_pictures,
        prompts="<results>/latent/prompts.json",
    output:
        report(
            "<results>/figures/{study}_crops.png",
            caption="../report/crops.rst",
            category="{study}",
            labels={"shows": "enlarged middles"},
        ),
    log:
        "<results>/figures/{study}.crops.log",
    params:
        study=study_config,
        code=code("crops"),
    shell:
        "python -m asymflow.stages.crops --study {params.study:q} --samples {input.samples} --prompts {input.prompts}"
        " --picture {output} > {log} 2>&1"
