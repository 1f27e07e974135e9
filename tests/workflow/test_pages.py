"""The pages as targets of the workflow: what they take, and what makes them anew."""

import re

import pytest

RESULTS = "results/smoke/"
SUPPLEMENT, COMPARE = RESULTS + "supplement.html", RESULTS + "figures/rank_sweep_compare.html"
ONE_STUDY = ("--config", "supplement={studies: [rank_sweep]}")


@pytest.fixture(scope="module")
def paged(copied, tmp_path_factory):
    """The finished project with the supplement of its study."""
    project = copied(tmp_path_factory.mktemp("paged") / "copy")
    result = project.run(SUPPLEMENT, *ONE_STUDY)
    assert result.returncode == 0, result.stdout + result.stderr
    return project


def test_the_supplement_of_one_study_says_what_came_out_and_leads_to_the_comparison(paged):
    page = (paged.folder / SUPPLEMENT).read_text()
    assert re.search(r"rank[08] has the least fid_local of 2 arms, [\d.]+ ± [\d.]+; rank[08] is next", page)
    assert page.count('<section id="rank_sweep">') == 1 and '<section id="length">' not in page
    assert 'href="figures/rank_sweep_compare.html"' in page and (paged.folder / COMPARE).exists()


@pytest.mark.slow
def test_a_page_is_made_anew_when_its_templates_or_its_code_change_and_no_other_is(paged):
    page, code = "src/asymflow/report/templates/supplement.html", "src/asymflow/report/comparison.py"
    assert paged.stale(SUPPLEMENT, *ONE_STUDY) == {}
    with paged.restoring(page, code):
        paged.edit(page, "How to read this</h2>", "How to read it</h2>")
        assert paged.stale(SUPPLEMENT, *ONE_STUDY) == {"supplement": 1}
        paged.edit(code, "IMAGES, FEWEST = 24, 4", "IMAGES, FEWEST = 25, 4")
        assert paged.stale(COMPARE) == {"compare": 1}


@pytest.mark.slow
def test_whatever_the_workflow_makes_of_a_study_is_among_all_and_on_the_supplement(fresh):
    rules = (fresh.folder / "workflow/rules/report.smk").read_text().split("\nrule ")[1:]
    of_studies = {rule.split(":")[0] for rule in rules if "{study}" in rule.split("log:")[0]}
    assert len(of_studies) > 10
    assert of_studies <= set(fresh.stale("all")) and of_studies <= set(fresh.stale(SUPPLEMENT))
