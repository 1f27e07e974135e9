rule embed_captions:
    "Embed captions as tokens, for networks that are told them: those of a split, or the prompts."
    input:
        unpack(read(plan.embed_captions)),
    output:
        index="<results>/conditions/captions_{reader}/{split}.json",
        listed=directory(paths.listed("<results>/conditions/captions_{reader}/{split}.json")),
    log:
        "<results>/conditions/captions_{reader}/{split}.embed_captions.log",
    benchmark:
        "<results>/conditions/captions_{reader}/{split}.embed_captions.benchmark.tsv"
    wildcard_constraints:
        split="|".join((*SPLITS, "prompts")),
    threads: 1
    resources:
        gpu=1,
        mem_mb=64000,
        runtime=1440,
    params:
        config=plan.embeddings_of,
        folder=plan.folder,
        code=plan.code("embed_captions"),
    shell:
        "python -m asymflow.stages.embed_captions --config {params.config:q} --reader {wildcards.reader} --data {input.data:q}"
        " --captions {input.captions:q} --evaluator {input.evaluator:q} --folder {params.folder:q} --out {output.index:q}"
        " > {log:q} 2>&1"


rule embed_images:
    "Embed the images of a split, for networks that are told them."
    input:
        data="<results>/data/{split}.json",
        evaluator=plan.viewer_file,
        listed=listed(paths.split("{split}")),
    output:
        index="<results>/conditions/images_p{patch_size}/{split}.json",
        listed=directory(paths.listed("<results>/conditions/images_p{patch_size}/{split}.json")),
    log:
        "<results>/conditions/images_p{patch_size}/{split}.embed_images.log",
    benchmark:
        "<results>/conditions/images_p{patch_size}/{split}.embed_images.benchmark.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=64000,
        runtime=1440,
    params:
        config=lambda wildcards: plan.section("embeddings", {"image"}),
        code=plan.code("embed_images"),
    shell:
        "python -m asymflow.stages.embed_images --config {params.config:q} --patch-size {wildcards.patch_size}"
        " --data {input.data:q} --evaluator {input.evaluator:q} --out {output.index:q} > {log:q} 2>&1"


rule suite:
    "Prepare the validation suite: what every arm is asked, and what the answers should look like."
    input:
        unpack(read(plan.suite)),
    output:
        "<results>/conditions/images_p{patch_size}/suite.safetensors",
    log:
        "<results>/conditions/images_p{patch_size}/suite.log",
    threads: 1
    resources:
        gpu=1,
        mem_mb=64000,
    params:
        config=lambda wildcards: plan.suite_cases,
        embeddings=lambda wildcards: plan.suite_embeddings,
        reader=plan.reader,
        code=plan.code("suite"),
    shell:
        "python -m asymflow.stages.suite --config {params.config:q} --embeddings {params.embeddings:q} --reader {params.reader}"
        " --data {input.data:q} --captions {input.captions:q} --images {input.images:q} --train {input.train:q}"
        " --train-captions {input.train_captions:q} --train-images {input.train_images:q} --evaluator {input.evaluator:q}"
        " --out {output:q} > {log:q} 2>&1"


rule floors:
    "Score references in the validation suite: the images themselves, blurred, others, noise."
    input:
        suite="<results>/conditions/images_p{patch_size}/suite.safetensors",
        perceptual=plan.perceptual_file,
        evaluator=plan.evaluator_file,
    output:
        "<results>/conditions/images_p{patch_size}/floors.csv",
    log:
        "<results>/conditions/images_p{patch_size}/floors.log",
    threads: 1
    resources:
        gpu=1,
    params:
        evaluator=evaluator,
        code=plan.code("floors"),
    shell:
        "python -m asymflow.stages.floors --suite {input.suite:q} --perceptual {input.perceptual:q}"
        " --evaluator {params.evaluator:q} --out {output:q} > {log:q} 2>&1"
