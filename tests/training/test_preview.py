"""The images that a training draws as it goes."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from asymflow.config.arm import Arm
from asymflow.config.jit import JiT
from asymflow.config.representation import Representation
from asymflow.config.targets.asymmetric import Asymmetric
from asymflow.data.tokens import to_bytes, to_pixels
from asymflow.flow.solver import constant_time, euler, time_grid
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Shapes
from asymflow.training.preview import STEPS, build

ARM = Arm(
    target=Asymmetric(rank=4),
    representation=Representation(patch_size=8),
    network=JiT(size="tiny", width=64, dropout=0.5),
)


@pytest.fixture
def model():
    """A small network in training, every part of which counts."""
    subspace = torch.linalg.qr(torch.randn(192, 4, generator=torch.Generator().manual_seed(1)))[0]
    made = assemble(ARM, Shapes(classes=3), (2, 3), Beginning(subspace=subspace), seed=0, precision=torch.float32)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for parameter in made.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return made.train()


@pytest.fixture
def preview(model):
    rows = {"images": torch.zeros(5, 3, 16, 24, dtype=torch.uint8), "label": torch.tensor([0, 1, 2, 0, 1])}
    return build(4, model, ARM, rows, empty=None, lift=None)


def average(model):
    """Weights that the network does not have."""
    return {name: 0.9 * value.detach() for name, value in model.network.named_parameters()}


def test_the_images_are_those_of_a_network_with_the_averaged_weights_that_drops_nothing(model, preview):
    finished = copy.deepcopy(model).eval()
    with torch.no_grad():
        for name, parameter in finished.network.named_parameters():
            parameter.copy_(average(model)[name])
        assert preview.condition.shows("class").all()
        tokens = euler(
            lambda x, t: finished(x, constant_time(t, x), preview.condition, sigma_min=ARM.losses.sigma_min),
            preview.noise,
            time_grid(STEPS),
        )
    drawn = preview.draw(average(model))
    assert torch.equal(drawn, to_bytes(to_pixels(tokens, (2, 3), ARM)))
    assert not torch.equal(drawn, preview.draw(dict(model.network.named_parameters()))), "the weights count"


@pytest.mark.filterwarnings("ignore:Dynamo does not know")  # of the checks of shapes, which only tests have
def test_drawing_leaves_weights_modes_generators_and_compiled_graphs_as_they_were(model, preview):
    counter = CompileCounter()
    model.network.compile(backend=counter)
    before = copy.deepcopy(model.state_dict())

    def update():
        x = torch.zeros(2, 6, 192)
        torch.manual_seed(0)
        model(x, torch.full((2,), 0.5), preview.condition.at(slice(2)), sigma_min=0.0).sum().backward()

    update()
    graphs, state = counter.frame_count, torch.get_rng_state()
    preview.draw(average(model))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    update()
    assert counter.frame_count == graphs > 0, "neither the drawing nor the update after it was compiled"
