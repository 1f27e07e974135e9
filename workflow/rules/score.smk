rule score:
    "Compare the samples of one run with the training images: Frechet distance, kernel distance, precision, recall."
    input:
        samples="<results>/runs/{arm}/seed{seed}/{sampling}/samples.npy",
        evaluator=evaluator_file,
        reference="<results>/evaluator/reference.safetensors",
    output:
        "<results>/runs/{arm}/seed{seed}/{sampling}/scores.json",
    log:
        "<results>/runs/{arm}/seed{seed}/{sampling}/score.log",
    threads: 1
    params:
        evaluator=evaluator_name,
        code=code("score"),
    shell:
        "python -m asymflow.stages.score --samples {input.samples} --reference {input.reference}"
        " --evaluator {params.evaluator} --out {output} > {log} 2>&1"
