from asymflow.data.contents import contents


rule shard:
    "Draw or read the images and pack them into shards: training, evaluator and held-out split."
    output:
        expand("<results>/data/{split}.json", split=SPLITS),
        expand("<results>/data/{split}.samples.npy", split=SPLITS),
        directory(expand("<results>/data/{split}", split=SPLITS)),
    log:
        "<results>/data/shard.log",
    benchmark:
        "<results>/data/shard.benchmark.tsv"
    threads: 16
    resources:
        mem_mb=8000,
        runtime=720,
    params:
        config=lambda wildcards: plan.section("data"),  # a function's text may have braces: Snakemake takes no wildcards from it
        contents=lambda wildcards: contents(experiment.data),
        folder=subpath(output[0], parent=True),
        code=plan.code("shard"),
    shell:
        "python -m asymflow.stages.shard --config {params.config:q} --out-dir {params.folder:q} --processes {threads}"
        " > {log:q} 2>&1"


rule data_grid:
    "Show images of the training split, one column for each class."
    input:
        data="<results>/data/train.json",
        listed=listed(paths.split("train")),
    output:
        report(
            "<results>/figures/data.png",
            caption="../report/data_grid.rst",
            category="Data",
            labels={"shows": "training images"},
        ),
    log:
        "<results>/figures/data_grid.log",
    localrule: True
    params:
        code=plan.code("data_grid"),
    shell:
        "python -m asymflow.stages.data_grid --data {input.data:q} --picture {output:q} > {log:q} 2>&1"


rule caption:
    "Describe images that have no captions."
    input:
        data="<results>/data/{split}.json",
        listed=listed(paths.split("{split}")),
    output:
        "<results>/data/{split}.captions.txt",
    log:
        "<results>/data/{split}.caption.log",
    resources:
        gpu=1,
        mem_mb=64000,
        runtime=1440,
    params:
        config=lambda wildcards: plan.section("captions"),
        code=plan.code("caption"),
    shell:
        "python -m asymflow.stages.caption --config {params.config:q} --data {input.data:q} --out {output:q} > {log:q} 2>&1"


rule prompts:
    "Choose the captions that arms are asked for: held-out ones, or those of a file."
    input:
        unpack(read(plan.prompts)),
    output:
        "<results>/data/prompts.json",
    log:
        "<results>/data/prompts.log",
    localrule: True
    params:
        config=lambda wildcards: plan.section("prompts"),
        code=plan.code("prompts"),
    shell:
        "python -m asymflow.stages.prompts --config {params.config:q} --heldout {input.heldout:q}"
        " --captions {input.captions:q} --out {output:q} > {log:q} 2>&1"
