rule table:
    "Gather the scores of a study into its table and its summary over seeds, published numbers beside."
    input:
        runs=studies.table,
        published=there(studies.published),
        systems=there(studies.systems),
        floors=studies.floors,
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
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, *studies.table_files(wildcards.study)),
        root=root,
        code=plan.code("table"),
    shell:
        "python -m asymflow.stages.table --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --published {input.published:q} --systems {input.systems:q} --floors {input.floors:q} --table {output.table:q} --summary {output.summary:q} > {log:q} 2>&1"


rule figure:
    "Draw a study: its metrics with their spread over seeds."
    input:
        table="<results>/{study}.csv",
        beside=studies.beside,
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
    localrule: True
    params:
        study=lambda wildcards: descriptions.drawn(wildcards, "guidance"),
        root=root,
        code=plan.code("figure"),
    shell:
        "python -m asymflow.stages.figure --study @<(printf %s {params.study:q}) --root {params.root:q} --table {input.table:q}"
        " --figure {output.png:q} {output.svg:q} > {log:q} 2>&1"


rule sample_grid:
    "Show what each arm of a study draws from the same noise, above held-out images."
    input:
        studies.pictured,
        listed(paths.split("heldout")),
        heldout="<results>/data/heldout.json",
    output:
        report(
            "<results>/figures/{study}_samples.png",
            caption="../report/sample_grid.rst",
            category="{study}",
            labels={"shows": "samples of each arm"},
        ),
    log:
        "<results>/figures/{study}.sample_grid.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, "samples"),
        root=root,
        code=plan.code("sample_grid"),
    shell:
        "python -m asymflow.stages.sample_grid --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --heldout {input.heldout:q} --picture {output:q} > {log:q} 2>&1"


rule compare:
    "Make the page that compares what any two arms of a study draw from the same noise."
    input:
        studies.samples,
    output:
        "<results>/figures/{study}_compare.html",
    log:
        "<results>/figures/{study}.compare.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.drawn(wildcards, "samples", "sampled"),
        root=root,
        code=plan.code("compare"),
        templates=plan.templates("compare"),
    shell:
        "python -m asymflow.stages.compare --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --page {output:q} > {log:q} 2>&1"


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
    localrule: True
    params:
        reference=lambda wildcards: experiment.studies[wildcards.study].reference,
        code=plan.code("speedup"),
    shell:
        "python -m asymflow.stages.speedup --reference {params.reference:q} --table {input:q} --out {output:q} > {log:q} 2>&1"


rule pairs:
    "Say how alike the images of a study's arms are that began with the same noise, against shuffled pairs."
    input:
        samples=studies.pictured,
        perceptual=plan.perceptual_file,
        evaluator=plan.evaluator_file,
    output:
        report(
            "<results>/{study}_pairs.csv",
            caption="../report/pairs.rst",
            category="{study}",
            labels={"shows": "how alike paired images are"},
        ),
    log:
        "<results>/{study}.pairs.log",
    resources:
        gpu=1,
    params:
        study=lambda wildcards: descriptions.study(wildcards, "samples"),
        root=root,
        evaluator=evaluator,
        code=plan.code("pairs"),
    shell:
        "python -m asymflow.stages.pairs --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --perceptual {input.perceptual:q} --evaluator {params.evaluator:q} --out {output:q} > {log:q} 2>&1"


rule crops:
    "Show what each arm of a study draws in the middle of the same images, under their captions."
    input:
        samples=studies.pictured,
        prompts="<results>/data/prompts.json",
    output:
        report(
            "<results>/figures/{study}_crops.png",
            caption="../report/crops.rst",
            category="{study}",
            labels={"shows": "enlarged middles"},
        ),
    log:
        "<results>/figures/{study}.crops.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, "samples"),
        root=root,
        code=plan.code("crops"),
    shell:
        "python -m asymflow.stages.crops --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --prompts {input.prompts:q} --picture {output:q} > {log:q} 2>&1"


rule paired:
    "Compare the arms of a study with its reference case by case."
    input:
        lambda wildcards: studies.runs(wildcards.study, *studies.case_by_case(wildcards.study)),
    output:
        report(
            "<results>/{study}_paired.csv",
            caption="../report/paired.rst",
            category="{study}",
            labels={"shows": "differences case by case"},
        ),
    log:
        "<results>/{study}.paired.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, *studies.case_by_case(wildcards.study)),
        root=root,
        code=plan.code("paired"),
    shell:
        "python -m asymflow.stages.paired --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --out {output:q} > {log:q} 2>&1"


rule curves:
    "Draw the training loss of each arm of a study."
    input:
        lambda wildcards: studies.runs(wildcards.study, "curve"),
    output:
        report(
            "<results>/figures/{study}_curves.png",
            caption="../report/curves.rst",
            category="{study}",
            labels={"shows": "learning curves"},
        ),
    log:
        "<results>/figures/{study}.curves.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.drawn(wildcards, "curve"),
        root=root,
        code=plan.code("curves"),
    shell:
        "python -m asymflow.stages.curves --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --figure {output:q} > {log:q} 2>&1"


rule progression:
    "Show the same images at each sampling setting of a study: snapshots, or kinds of guidance."
    input:
        studies.samples,
    output:
        report(
            "<results>/figures/{study}_progression.png",
            caption="../report/progression.rst",
            category="{study}",
            labels={"shows": "the same images at each setting"},
        ),
    log:
        "<results>/figures/{study}.progression.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, "samples"),
        root=root,
        code=plan.code("progression"),
    shell:
        "python -m asymflow.stages.progression --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --picture {output:q} > {log:q} 2>&1"


rule nearest_images:
    "Show samples of each arm beside the training image and the held-out image that are most like them."
    input:
        runs=studies.nearest_images,
        train="<results>/data/train.json",
        heldout="<results>/data/heldout.json",
        listed=listed(paths.split("train"), paths.split("heldout")),
    output:
        report(
            "<results>/figures/{study}_nearest_images.png",
            caption="../report/nearest_images.rst",
            category="{study}",
            labels={"shows": "nearest images"},
        ),
    log:
        "<results>/figures/{study}.nearest_images.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.study(wildcards, "samples", "memorisation"),
        root=root,
        code=plan.code("nearest_images"),
    shell:
        "python -m asymflow.stages.nearest_images --study @<(printf %s {params.study:q}) --root {params.root:q}"
        " --train {input.train:q} --heldout {input.heldout:q} --picture {output:q} > {log:q} 2>&1"


rule error_by_noise:
    "Gather the velocity errors of a study by noise level and principal directions, and draw them."
    input:
        lambda wildcards: studies.runs(wildcards.study, "velocity"),
    output:
        table=report(
            "<results>/{study}_velocity.csv",
            caption="../report/error_by_noise.rst",
            category="{study}",
            labels={"shows": "velocity error by noise level"},
        ),
        png=report(
            "<results>/figures/{study}_velocity.png",
            caption="../report/error_by_noise.rst",
            category="{study}",
            labels={"shows": "velocity error by noise level"},
        ),
        svg="<results>/figures/{study}_velocity.svg",
    log:
        "<results>/{study}.error_by_noise.log",
    localrule: True
    params:
        study=lambda wildcards: descriptions.drawn(wildcards, "velocity"),
        root=root,
        code=plan.code("error_by_noise"),
    shell:
        "python -m asymflow.stages.error_by_noise --study @<(printf %s {params.study:q}) --root {params.root:q} --table {output.table:q}"
        " --figure {output.png:q} {output.svg:q} > {log:q} 2>&1"


rule supplement:
    "Make one page of the studies, like the supplement of a paper: questions, verdicts, figures, tables, origins."
    input:
        studies.supplement_files,
    output:
        "<results>/supplement.html",
    log:
        "<results>/supplement.log",
    localrule: True
    params:
        studies=lambda wildcards: descriptions.supplement,
        root=root,
        code=plan.code("supplement"),
        templates=plan.templates("supplement"),
    shell:
        "python -m asymflow.stages.supplement --studies @<(printf %s {params.studies:q}) --root {params.root:q}"
        " --page {output:q} > {log:q} 2>&1"


rule cost:
    "What every study of this scale costs, before anything runs: hours, memory, disk, money."
    output:
        report("<results>/cost.csv", category="cost", caption="../report/table.rst"),
    log:
        "<results>/cost.log",
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("cost"),
        plan=lambda wildcards: descriptions.cost,
        code=plan.cost_code,
    shell:
        "python -m asymflow.stages.cost --config {params.config:q} --plan @<(printf %s {params.plan:q}) --out {output:q} > {log:q} 2>&1"
