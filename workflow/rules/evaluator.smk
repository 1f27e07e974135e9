rule fit_evaluator:
    "Train the local evaluator, a small CLIP, on the images that are kept for it; or a second one from another seed."
    input:
        data="<results>/data/evaluator.json",
        listed=listed(paths.split("evaluator")),
    output:
        "<results>/evaluator/{second}local.safetensors",
    log:
        "<results>/evaluator/{second}fit_evaluator.log",
    benchmark:
        "<results>/evaluator/{second}fit_evaluator.benchmark.tsv"
    threads: 1  # so that arms can train beside it
    resources:
        gpu=1,
    params:
        config=plan.evaluator_of,
        code=plan.code("fit_evaluator"),
    shell:
        "python -m asymflow.stages.fit_evaluator --config {params.config:q} --data {input.data:q} --out {output:q} > {log:q} 2>&1"


rule reference:
    "Features of the training images, which samples are compared with; the held-out images give the floor."
    input:
        evaluator=plan.evaluator_file_of,
        data="<results>/data/train.json",
        heldout="<results>/data/heldout.json",
        listed=listed(paths.split("train"), paths.split("heldout")),
    output:
        reference="<results>/evaluator/{second}reference.safetensors",
        floor="<results>/evaluator/{second}floor.json",
    log:
        "<results>/evaluator/{second}reference.log",
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("scoring"),
        evaluator=evaluator,
        code=plan.code("reference"),
    shell:
        "python -m asymflow.stages.reference --config {params.config:q} --evaluator {params.evaluator:q}"
        " --data {input.data:q} --heldout {input.heldout:q} --out {output.reference:q} --floor {output.floor:q} > {log:q} 2>&1"


rule fit_perceptual:
    "Train the network of the local perceptual distance, on the images that are kept for the evaluator."
    input:
        data="<results>/data/evaluator.json",
        listed=listed(paths.split("evaluator")),
    output:
        "<results>/evaluator/perceptual.safetensors",
    log:
        "<results>/evaluator/fit_perceptual.log",
    threads: 1
    resources:
        gpu=1,
    params:
        config=lambda wildcards: plan.section("perceptual"),
        code=plan.code("fit_perceptual"),
    shell:
        "python -m asymflow.stages.fit_perceptual --config {params.config:q} --data {input.data:q} --out {output:q} > {log:q} 2>&1"
