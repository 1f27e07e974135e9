import pytest
from torch import nn

from asymflow.training.optimisers.groups import groups


def network():
    made = nn.ModuleDict({"body": nn.Linear(2, 2), "frozen": nn.Linear(2, 2), "proj_out": nn.Linear(2, 2, bias=False)})
    made["frozen"].requires_grad_(False)
    return made


def test_a_layer_s_own_rate_and_what_is_frozen():
    made = network()
    rest, ends = groups(made.named_parameters(), 1e-4, {"proj_out": 10.0})
    assert (rest["lr"], rest["multiple"], len(rest["params"])) == (1e-4, 1.0, 2)
    assert ends["lr"] == pytest.approx(1e-3) and ends["multiple"] == 10 and ends["params"][0] is made["proj_out"].weight


def test_without_multiples_there_is_one_group_and_an_unknown_layer_is_an_error():
    assert len(groups(network().named_parameters(), 1e-4, {})) == 1
    with pytest.raises(ValueError, match="no trained parameter belongs to a layer called frozen, proj_in"):
        groups(network().named_parameters(), 1e-4, {"frozen": 2.0, "proj_in": 10.0})


def test_a_layer_is_named_by_a_whole_component():
    made = nn.ModuleDict({"proj_out": network(), "proj_out2": nn.Linear(2, 2)})
    rest, ends = groups(made.named_parameters(), 1e-4, {"proj_out": 10.0})
    assert len(ends["params"]) == 3 and [id(p) for p in rest["params"]] == [
        id(p) for p in made["proj_out2"].parameters()
    ]


def test_where_all_layers_have_a_rate_of_their_own_there_is_no_group_without():
    made = nn.ModuleDict({"body": nn.Linear(2, 2), "proj_out": nn.Linear(2, 2, bias=False)})
    grouped = groups(made.named_parameters(), 1e-4, {"body": 2.0, "proj_out": 10.0})
    assert [group["multiple"] for group in grouped] == [2.0, 10.0] and all(group["params"] for group in grouped)
