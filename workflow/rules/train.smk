rule train:
    "Train one arm with one seed; an interrupted training resumes where it was."
    input:
        unpack(read(plan.train)),
    output:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        snapshots=directory("<results>/runs/{arm}/seed{seed}/snapshots"),
        curve="<results>/runs/{arm}/seed{seed}/curve.jsonl",
        summary="<results>/runs/{arm}/seed{seed}/train.json",
    log:
        "<results>/runs/{arm}/seed{seed}/train.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/train.benchmark.tsv"
    wildcard_constraints:
        arm=plan.trained,
    threads: plan.train_threads
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=1440,
    params:
        arm=plan.arm,
        folder=plan.folder_of,
        launcher=launcher,
        previews=previews,
        state=f"{paths.results}/runs/{{arm}}/seed{{seed}}/state",
        code=plan.train_code,
    shell:
        "{params.launcher} -m asymflow.stages.train --arm {params.arm:q} --seed {wildcards.seed} --data {input.data:q}"
        " --subspace {input.subspace:q} --pca {input.pca:q} --lift {input.lift:q} --captions {input.captions:q}"
        " --images {input.images:q} --latents {input.latents:q} --start {input.start:q} --folder {params.folder:q}"
        " --evaluator {input.evaluator:q} --perceptual {input.perceptual:q}"
        " --previews {params.previews} --state {params.state:q}"
        " --model {output.model:q} --snapshots {output.snapshots:q} --curve {output.curve:q} --summary {output.summary:q}"
        " > {log:q} 2>&1"


rule export:
    "Write a finetuned FLUX.2 run in the format of diffusers."
    input:
        unpack(there(plan.model)),
    output:
        directory("<results>/runs/{arm}/seed{seed}/diffusers"),
    log:
        "<results>/runs/{arm}/seed{seed}/export.log",
    params:
        folder=plan.folder_of,
        code=plan.export_code,
    shell:
        "python -m asymflow.stages.export --model {input.model:q} --start {input.start:q} --folder {params.folder:q}"
        " --latents {input.latents:q} --out {output:q} > {log:q} 2>&1"
