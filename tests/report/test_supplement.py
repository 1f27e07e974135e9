import pandas as pd
import pytest

from asymflow.report import tables
from asymflow.report.supplement import decided, origins, over_seeds, whole


def column(grid, text):
    place = [head.text for head in grid.heads].index(text)
    return [row[place] for row in grid.rows]


def test_the_best_of_each_setting_is_marked_in_the_direction_that_is_better(compared, measured):
    study = compared(samplings=("unguided", "guided"), seeds=2)
    table = measured(
        {("a", "unguided"): [30, 32], ("a", "guided"): [10, 12], ("b", "unguided"): [20, 24], ("b", "guided"): [11, 15]}
    )
    grid = over_seeds(table, tables.summarise(table, "a"), study)
    distance, recall = column(grid, "fid_local ↓"), column(grid, "recall_local ↑")
    assert [cell.text for cell in distance] == ["31.0 ± 1.4", "11.0 ± 1.4", "22.0 ± 2.8", "13.0 ± 2.8"]
    assert [cell.mark for cell in distance] == ["", "best", "best", ""]
    assert [cell.mark for cell in recall] == ["best", "", "", "best"]


def test_the_first_metric_has_its_difference_from_the_reference_beside_it(compared, measured):
    table = measured({("a", "guided"): [10, 20, 30], ("b", "guided"): [11, 22, 33]})
    grid = over_seeds(table, tables.summarise(table, "a"), compared(seeds=3))
    assert [cell.text for cell in column(grid, "less that of a")] == ["reference", "2.0 (−0.5 to 4.5)"]


def test_a_single_seed_has_the_standard_error_of_its_samples(compared, measured):
    table = measured({("a", "guided"): [10.0], ("b", "guided"): [11.0]}, error=0.5)
    grid = over_seeds(table, tables.summarise(table, "a"), compared())
    assert [cell.text for cell in column(grid, "fid_local ↓")] == ["10.00 ± 0.50", "11.00 ± 0.50"]
    assert [cell.text for cell in column(grid, "recall_local ↑")] == ["0.100", "0.110"]


def test_a_whole_table_is_shown_as_its_file_has_it_and_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    tables.write(pd.DataFrame({"arm": ["a", "b"], "parameters": [2918784, 5], "scale": [None, 2.5]}), path)
    grid = whole(path)
    assert [head.text for head in grid.heads] == ["arm", "parameters", "scale"]
    assert [[cell.text for cell in row] for row in grid.rows] == [["a", "2918784", ""], ["b", "5", "2.5"]]
    path.write_text(path.read_text().replace("2918784", "2918785"))
    with pytest.raises(ValueError, match="cut, damaged or was edited"):
        whole(path)


def test_origins_are_each_named_once(measured):
    assert origins(measured({("a", "guided"): [1, 2], ("b", "guided"): [3, 4]})) == {
        "machine": ["m"],
        "code of train": ["t"],
        "commit": ["c"],
    }


def test_a_claim_is_shown_with_its_verdict_and_without_a_published_number_where_there_is_none():
    row = {"says": "It helps", "source": "us", "published": None, "metric": "fid_local", "mean": -4.2, "low": -6.1}
    grid = decided(pd.DataFrame([row | {"high": -2.3, "smallest": 0.5, "seeds": 3, "verdict": "does not hold"}]))
    assert column(grid, "verdict")[0].mark == "does-not-hold" and column(grid, "published")[0].text == ""
    assert column(grid, "measured")[0].text == "−4.2 (−6.1 to −2.3)" and column(grid, "of interest")[0].text == "0.5"
