rule shard:
    "Draw or read the images and pack them into shards: training, evaluator and held-out split."
    output:
        expand("<results>/data/{split}.json", split=("train", "evaluator", "heldout")),
    log:
        "<results>/data/shard.log",
    benchmark:
        "<results>/data/shard.benchmark.tsv"
    threads: 16
    params:
        config=section("data"),
        folder=lambda wildcards, output: f"{RESULTS}/data",
        code=code("shard"),
    shell:
        "python -m asymflow.stages.shard --config {params.config:q} --out-dir {params.folder} --processes {threads}"
        " > {log} 2>&1"


rule data_grid:
    "Show images of the training split, one column for each class."
    input:
        data="<results>/data/train.json",
    output:
        report(
            "<results>/figures/data.png",
            caption="../report/data_grid.rst",
            category="Data",
            labels={"shows": "training images"},
        ),
    log:
        "<results>/figures/data_grid.log",
    params:
        code=code("data_grid"),
    shell:
        "python -m asymflow.stages.data_grid --data {input.data} --picture {output} > {log} 2>&1"


rule caption:
    "Describe images that have no captions."
    input:
        "<results>/data/{split}.json",
    output:
        "<results>/data/{split}.captions.txt",
    log:
        "<results>/data/{split}.caption.log",
    params:
        config=section("captions"),
        code=code("caption"),
    shell:
        "python -m asymflow.stages.caption --config {params.config:q} --data {input} --out {output} > {log} 2>&1"
