rule import_weights:
    "Make a run of weights that others trained and published."
    input:
        there(plan.released_file),
    output:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        summary="<results>/runs/{arm}/seed{seed}/train.json",
    log:
        "<results>/runs/{arm}/seed{seed}/import_weights.log",
    wildcard_constraints:
        arm=plan.released,
    resources:
        mem_mb=32000,
    params:
        arm=plan.arm,
        image_size=experiment.data.image_size,
        folder=plan.folder_of,
        code=plan.import_code,
    shell:
        "python -m asymflow.stages.import_weights --arm {params.arm:q} --seed {wildcards.seed}"
        " --image-size {params.image_size} --file {input:q} --folder {params.folder:q} --model {output.model:q}"
        " --summary {output.summary:q} > {log:q} 2>&1"


rule released:
    "Weights that others published, sampled and scored as they did, beside their numbers; what is not there is listed."
    input:
        studies.released_cards,
    output:
        report("<results>/released.csv", category="published weights", caption="../report/table.rst"),
    log:
        "<results>/released.log",
    localrule: True
    params:
        releases=lambda wildcards: descriptions.releases,
        root=root,
        code=plan.code("released"),
    shell:
        "python -m asymflow.stages.released --releases @<(printf %s {params.releases:q}) --root {params.root:q} --out {output:q} > {log:q} 2>&1"


rule publish:
    "A run as a folder that others load: weights, configuration, model card."
    input:
        unpack(there(plan.publish)),
    output:
        directory("<results>/runs/{arm}/seed{seed}/published"),
    log:
        "<results>/runs/{arm}/seed{seed}/publish.log",
    params:
        config=lambda wildcards: plan.section("publishing"),
        code=plan.code("publish"),
    shell:
        "python -m asymflow.stages.publish --name {wildcards.arm} --config {params.config:q} --model {input.model:q}"
        " --summary {input.summary:q} --data {input.data:q} --cards {input.cards:q} --out {output:q} > {log:q} 2>&1"
