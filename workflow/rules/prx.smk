rule embed:
    "Embed the captions and images of a split for the arms of prx-tg."
    input:
        data="<results>/data/{split}.json",
        evaluator=embedding_evaluator,
    output:
        "<results>/embedded/p{patch_size}/{split}.json",
    log:
        "<results>/embedded/p{patch_size}/{split}.embed.log",
    benchmark:
        "<results>/embedded/p{patch_size}/{split}.embed.benchmark.tsv"
    threads: 1
    params:
        config=section("embeddings"),
        code=code("embed"),
    shell:
        "python -m asymflow.stages.embed --config {params.config:q} --patch-size {wildcards.patch_size} --data {input.data}"
        " --evaluator {input.evaluator} --out {output} > {log} 2>&1"


rule suite:
    "Prepare the validation suite of prx-tg: what every arm is asked, and what the answers should look like."
    input:
        data=f"<results>/data/{experiment.suite.split}.json",
        embedded=f"<results>/embedded/p{{patch_size}}/{experiment.suite.split}.json",
        train="<results>/data/train.json",
        train_embedded="<results>/embedded/p{patch_size}/train.json",
        evaluator=embedding_evaluator,
    output:
        "<results>/embedded/p{patch_size}/suite.safetensors",
    log:
        "<results>/embedded/p{patch_size}/suite.log",
    threads: 1
    params:
        config=section("suite"),
        embeddings=section("embeddings"),
        code=code("suite"),
    shell:
        "python -m asymflow.stages.suite --config {params.config:q} --embeddings {params.embeddings:q} --data {input.data}"
        " --embedded {input.embedded} --train {input.train} --train-embedded {input.train_embedded}"
        " --evaluator {input.evaluator} --out {output} > {log} 2>&1"


rule floors:
    "Score references in the validation suite: the images themselves, blurred, others, noise."
    input:
        suite="<results>/embedded/p{patch_size}/suite.safetensors",
        perceptual=perceptual_file,
        evaluator=evaluator_file,
    output:
        "<results>/embedded/p{patch_size}/floors.csv",
    log:
        "<results>/embedded/p{patch_size}/floors.log",
    threads: 1
    params:
        evaluator=evaluator_name,
        code=code("floors"),
    shell:
        "python -m asymflow.stages.floors --suite {input.suite} --perceptual {input.perceptual}"
        " --evaluator {params.evaluator} --out {output} > {log} 2>&1"


rule train_prx:
    "Train one arm of prx-tg with one seed; an interrupted training resumes where it was."
    input:
        data="<results>/data/train.json",
        embedded=prx_file("train.json"),
        subspace=prx_subspace,
    output:
        model="<results>/runs/{arm}/seed{seed}/model.safetensors",
        snapshots=directory("<results>/runs/{arm}/seed{seed}/snapshots"),
        curve="<results>/runs/{arm}/seed{seed}/curve.jsonl",
        summary="<results>/runs/{arm}/seed{seed}/train.json",
    log:
        "<results>/runs/{arm}/seed{seed}/train_prx.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/train_prx.benchmark.tsv"
    wildcard_constraints:
        arm=named(experiment.prx_arms),
    threads: 1
    params:
        arm=arm_config,
        launcher=launcher,
        state=lambda wildcards, output: f"{RESULTS}/runs/{wildcards.arm}/seed{wildcards.seed}/state",
        code=code("train_prx"),
    shell:
        "{params.launcher} -m asymflow.stages.train_prx --arm {params.arm:q} --seed {wildcards.seed} --data {input.data}"
        " --embedded {input.embedded} --subspace {input.subspace} --state {params.state} --model {output.model}"
        " --snapshots {output.snapshots} --curve {output.curve} --summary {output.summary} > {log} 2>&1"


rule sample_prx:
    "Draw the cases of the validation suite with one arm of prx-tg."
    input:
        model=sampled_model,
        suite=prx_file("suite.safetensors"),
    output:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample_prx.log",
    benchmark:
        "<results>/runs/{arm}/seed{seed}/{sampling}/sample_prx.benchmark.tsv"
    wildcard_constraints:
        arm=named(experiment.prx_arms),
    threads: 1
    params:
        sampling=sampling_config,
        launcher=launcher,
        code=code("sample_prx"),
    shell:
        "{params.launcher} -m asymflow.stages.sample_prx --sampling {params.sampling:q} --model {input.model}"
        " --suite {input.suite} --samples {output.samples} --summary {output.summary} > {log} 2>&1"


rule score_prx:
    "Score what one arm of prx-tg drew: reconstruction, captions, swaps, edits, memorisation, each with an interval."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        summary="<results>/runs/{arm}/seed{seed}/{sampling}/samples.json",
        suite=prx_file("suite.safetensors"),
        train="<results>/data/train.json",
        heldout="<results>/data/heldout.json",
        reference="<results>/evaluator/reference.safetensors",
        perceptual=perceptual_file,
        evaluator=evaluator_file,
    output:
        scores="<results>/runs/{arm}/seed{seed}/{sampling}/scores.json",
        neighbours="<results>/runs/{arm}/seed{seed}/{sampling}/neighbours.npy",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/score_prx.log",
    wildcard_constraints:
        arm=named(experiment.prx_arms),
    threads: 1
    params:
        config=section("suite"),
        evaluator=evaluator_name,
        code=code("score_prx"),
    shell:
        "python -m asymflow.stages.score_prx --config {params.config:q} --samples {input.samples} --summary {input.summary}"
        " --suite {input.suite} --train {input.train} --heldout {input.heldout} --reference {input.reference}"
        " --perceptual {input.perceptual} --evaluator {params.evaluator} --out {output.scores}"
        " --neighbours {output.neighbours} > {log} 2>&1"


rule paired:
    "Compare the arms of a study of prx-tg with its reference case by case."
    input:
        study_scores,
    output:
        report(
            "<results>/{study}_paired.csv",
            caption="../report/paired.rst",
            category="{study}",
            labels={"shows": "differences case by case"},
        ),
    log:
        "<results>/{study}.paired.log",
    wildcard_constraints:
        study=named(PRX),
    params:
        study=study_config,
        code=code("paired"),
    shell:
        "python -m asymflow.stages.paired --study {params.study:q} --scores {input} --out {output} > {log} 2>&1"


rule curves:
    "Draw the training loss of each arm of a study of prx-tg."
    input:
        study_curves,
    output:
        report(
            "<results>/figures/{study}_curves.png",
            caption="../report/curves.rst",
            category="{study}",
            labels={"shows": "learning curves"},
        ),
    log:
        "<results>/figures/{study}.curves.log",
    wildcard_constraints:
        study=named(PRX),
    params:
        study=study_config,
        code=code("curves"),
    shell:
        "python -m asymflow.stages.curves --study {params.study:q} --curves {input} --figure {output} > {log} 2>&1"


rule progression:
    "Show the same images at each sampling setting of a study of prx-tg: snapshots, or kinds of guidance."
    input:
        study_all_pictures,
    output:
        report(
            "<results>/figures/{study}_progression.png",
            caption="../report/progression.rst",
            category="{study}",
            labels={"shows": "the same images at each setting"},
        ),
    log:
        "<results>/figures/{study}.progression.log",
    wildcard_constraints:
        study=named(PRX),
    params:
        study=study_config,
        code=code("progression"),
    shell:
        "python -m asymflow.stages.progression --study {params.study:q} --samples {input} --picture {output} > {log} 2>&1"


rule neighbours:
    "Show samples of each arm beside the training image and the held-out image that are most like them."
    input:
        study_neighbours,
    output:
        report(
            "<results>/figures/{study}_neighbours.png",
            caption="../report/neighbours.rst",
            category="{study}",
            labels={"shows": "nearest images"},
        ),
    log:
        "<results>/figures/{study}.neighbours.log",
    wildcard_constraints:
        study=named(PRX),
    params:
        study=study_config,
        code=code("neighbours"),
    shell:
        "python -m asymflow.stages.neighbours --study {params.study:q} --neighbours {input} --picture {output} > {log} 2>&1"
