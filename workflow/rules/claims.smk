checkpoint look:
    "Look at a claim after some seeds: the paired differences, their intervals, the verdict."
    input:
        studies.look,
    output:
        "<results>/claims/{claim}/look{look}.json",
    log:
        "<results>/claims/{claim}/look{look}.log",
    localrule: True
    params:
        claim=descriptions.claim,
        decision=lambda wildcards: plan.section("decision"),
        study=descriptions.look,
        root=root,
        code=plan.code("look"),
    shell:
        "python -m asymflow.stages.look --claim {params.claim:q} --decision {params.decision:q}"
        " --study @<(printf %s {params.study:q}) --root {params.root:q} --out {output:q} > {log:q} 2>&1"


def last_look(wildcards):
    """The look that decided a claim, or the last; what is looked at next is only planned once a look was undecided."""
    for look in range(len(experiment.decision.looks)):
        path = checkpoints.look.get(claim=wildcards.claim, look=look).output[0]
        with path.open():  # lets Snakemake fetch it first, where results lie in object storage
            verdict = documents.read(path, "look")["verdict"]
        if verdict != "undecided":
            return path
    return path


rule claim:
    "Decide a claim: with the fewest seeds that do."
    input:
        last_look,
    output:
        "<results>/claims/{claim}.json",
    log:
        "<results>/claims/{claim}.log",
    localrule: True
    params:
        scale=experiment.results,
        code=plan.code("claim"),
    shell:
        "python -m asymflow.stages.claim --scale {params.scale:q} --look {input:q} --out {output:q} > {log:q} 2>&1"


rule claims:
    "Every claim of both documents: what was measured, its interval, seeds, and the verdict."
    input:
        expand("<results>/claims/{claim}.json", claim=experiment.claims),
    output:
        table=report("<results>/claims.csv", caption="../report/claims.rst", category="claims"),
        png=report("<results>/figures/claims.png", caption="../report/claims.rst", category="claims"),
        svg="<results>/figures/claims.svg",
    log:
        "<results>/claims.log",
    localrule: True
    params:
        code=plan.code("claims"),
    shell:
        "python -m asymflow.stages.claims --claims {input:q} --table {output.table:q}"
        " --figure {output.png:q} {output.svg:q} > {log:q} 2>&1"
