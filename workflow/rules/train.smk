rule train:
    "Train one arm with one seed; an interrupted training resumes where it was."
    input:
        data="<results>/data/train.json",
        subspace=arm_subspace,
        pca=arm_pca,
        teacher=arm_teacher,
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
        arm=named(experiment.arms),
    threads: 1
    params:
        arm=arm_config,
        launcher=launcher,
        state=lambda wildcards, output: f"{RESULTS}/runs/{wildcards.arm}/seed{wildcards.seed}/state",
        code=code("train"),
    shell:
        "{params.launcher} -m asymflow.stages.train --arm {params.arm:q} --seed {wildcards.seed} --data {input.data}"
        " --subspace {input.subspace} --pca {input.pca} --teacher {input.teacher} --state {params.state}"
        " --model {output.model} --snapshots {output.snapshots} --curve {output.curve} --summary {output.summary}"
        " > {log} 2>&1"


rule train_text:
    "Train one text-to-image arm with one seed: the latent model, or what finetuning makes of it."
    input:
        data="<results>/data/train.json",
        encoded=arm_encoded,
        lift=arm_lift,
        start=arm_start,
        perceptual=arm_perceptual,
    output:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        curve="<results>/runs/{arm}/seed{seed}/curve.jsonl",
        summary="<results>/runs/{arm}/seed{seed}/train.json",
    log:
        "<results>/runs/{arm}/seed{seed}/train_text.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/train_text.benchmark.tsv"
    wildcard_constraints:
        arm=named(experiment.text_arms),
    threads: lambda wildcards: 2 if wildcards.arm in STARTS else 1  # nothing can train beside a start
    params:
        arm=arm_config,
        folder=latent_folder,
        launcher=launcher,
        state=lambda wildcards, output: f"{RESULTS}/runs/{wildcards.arm}/seed{wildcards.seed}/state",
        code=code("train_text"),
    shell:
        "{params.launcher} -m asymflow.stages.train_text --arm {params.arm:q} --seed {wildcards.seed} --data {input.data}"
        " --encoded {input.encoded} --lift {input.lift} --start {input.start} --folder {params.folder}"
        " --perceptual {input.perceptual} --state {params.state} --model {output.model} --curve {output.curve}"
        " --summary {output.summary} > {log} 2>&1"


rule export:
    "Write a finetuned text-to-image run in the format of diffusers."
    input:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        start=arm_start,
    output:
        directory("<results>/runs/{arm}/seed{seed}/diffusers"),
    log:
        "<results>/runs/{arm}/seed{seed}/export.log",
    wildcard_constraints:
        arm=named(experiment.text_arms),
    params:
        folder=latent_folder,
        code=code("export"),
    shell:
        "python -m asymflow.stages.export --model {input.model} --start {input.start} --folder {params.folder}"
        " --out {output} > {log} 2>&1"
