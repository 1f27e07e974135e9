"""What is shown of a claim of several comparisons: the one that its verdict comes from."""

import pytest
from workshop import run_stage

from asymflow import documents
from asymflow.report import claims
from asymflow.stages import claim

ABOUT = {"says": "a is best", "source": "a paper", "published": None, "smallest": 2.0}
FIRMLY, LOOSELY, SLIGHTLY = [-9.0, -9.1, -8.9], [4.0, -6.0, 5.0], [-1.0, -1.1, -0.9]  # ahead, not told, by too little


@pytest.mark.parametrize(
    ("relation", "differences", "shown"),
    [
        ("<", [LOOSELY, SLIGHTLY, FIRMLY], 1),
        ("<", [FIRMLY, LOOSELY], 1),
        ("<", [FIRMLY, [-5.0, -5.1, -4.9]], 1),
        ("=", [[-9.0, 12.0, 15.0], [5.0, 5.1, 4.9], [-4.0, -4.1, -3.9]], 1),
    ],
)
def test_the_row_of_a_claim_has_the_comparison_that_decides_it(tmp_path, relation, differences, shown):
    decided = claims.decide(differences, relation, 2.0, 0.98)
    assert decided["verdicts"][shown] == decided["verdict"]
    look = {
        "claim": ABOUT | {"holds_if": f"a@x {relation} b@x, c@x"},
        "name": "best",
        "metric": "fid_local",
        "seeds": [0, 1, 2],
    }
    look |= {"interval_confidence": 0.98, "code": "c", "commit": "d"}
    documents.write(tmp_path / "look.json", "look", look | decided)
    run_stage(claim, scale="results", look=tmp_path / "look.json", out=tmp_path / "claim.json")
    row = documents.read(tmp_path / "claim.json", "claim")["row"]
    assert [row["low"], row["high"]] == decided["intervals"][shown] and row["mean"] == decided["means"][shown]
    assert claims.verdict(row["low"], row["high"], relation, 2.0) == row["verdict"]
