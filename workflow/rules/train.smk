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
