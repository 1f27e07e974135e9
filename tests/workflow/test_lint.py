"""Snakemake's linter: what it may say of the rules, each with the reason why it does not apply."""

import re

ACCEPTED = {
    "Specify a conda environment or container for each rule": "one environment, pyproject.toml, serves every rule",
    "Mixed rules and functions in same snakefile": "claims.smk: the function asks the checkpoint above it",
    "Environment variable PATH": "is set for the jobs, not asked of whoever runs Snakemake",
    "Param scale is a prefix of input or output": "claim: the name of the scale, which is also that of its folder",
}


def test_the_linter_says_nothing_that_was_not_thought_about(fresh):
    result = fresh.run("--lint")
    titles = re.findall(r"^    \* (.*):$", result.stdout + result.stderr, re.MULTILINE)
    assert titles, result.stdout + result.stderr
    assert not {title for title in titles if not title.startswith(tuple(ACCEPTED))}
    assert not {reason for reason in ACCEPTED if not any(title.startswith(reason) for title in titles)}
