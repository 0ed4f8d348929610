"""The networks: sizes, shapes, scales, and the statistics of averaged weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from blindface.networks import Discriminator, EncoderKind, Generator, count_parameters, recalibrate
from blindface.networks.discriminator import batch_deviation
from blindface.networks.generator import Refinement
from blindface.networks.layers import LEAK, EqualisedConv2d, initialise


def test_default_generator_has_the_papers_number_of_parameters() -> None:
    assert count_parameters(Generator()) == 8_969_097  # the paper's number for objective 1


def test_default_discriminator_has_the_papers_number_of_parameters() -> None:
    assert count_parameters(Discriminator()) == 8_065_537  # the paper's number


@pytest.mark.parametrize(("encoder", "size"), [("none", 16), ("plain", 128), ("residual", 128), ("unet", 128)])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_generator_returns_one_image_per_step(encoder: EncoderKind, size: int, steps: int) -> None:
    generator = Generator(8, encoder)
    images = generator(torch.zeros(2, 3, size, size), steps)
    assert [tuple(image.shape) for image in images] == [(2, 3, 32, 32), (2, 3, 64, 64), (2, 3, 128, 128)][:steps]


@pytest.mark.parametrize("encoder", ["none", "plain", "residual", "unet"])
@pytest.mark.parametrize("blocks", [0, 2])
def test_generator_is_rebuilt_from_its_arguments(encoder: EncoderKind, blocks: int) -> None:
    generator = Generator(16, encoder, blocks)
    again = Generator(**generator.arguments)
    again.load_state_dict(generator.state_dict())
    assert count_parameters(again) == count_parameters(generator)


def test_unet_adds_the_encoders_features_where_the_sizes_agree() -> None:
    generator = Generator(16, "unet").eval()
    residual = Generator(16, "residual").eval()
    residual.load_state_dict(generator.state_dict())
    blind = torch.randn(2, 3, 128, 128)
    wide, half, features = generator.stem.features(blind)
    first = generator.steps[0](features) + half
    second = generator.steps[1](first) + wide
    expected = [
        generator.to_rgb[0](first),
        generator.to_rgb[1](second),
        generator.to_rgb[2](generator.steps[2](second)),
    ]
    for image, wanted, plain in zip(generator(blind), expected, residual(blind), strict=True):
        torch.testing.assert_close(image, wanted)
        assert not torch.allclose(image, plain)


@pytest.mark.parametrize("encoder", ["none", "plain", "residual", "unet"])
@pytest.mark.parametrize("blocks", [0, 2])
def test_generator_is_traced_as_one_graph(encoder: EncoderKind, blocks: int) -> None:
    generator = Generator(8, encoder, blocks).eval()
    blind = torch.randn(2, 3, generator.input_size, generator.input_size)
    traced = torch.compile(lambda image: generator(image)[-1], fullgraph=True, backend="eager")
    torch.testing.assert_close(traced(blind), generator(blind)[-1])


def refined(encoder: EncoderKind, blocks: int) -> tuple[Generator, Refinement]:
    """A generator as training may leave it, in evaluation mode: nothing of its refinement is zero any more."""
    torch.manual_seed(3)
    generator = Generator(16, encoder, blocks).eval()
    refinement = generator.refinement
    assert refinement is not None
    nn.init.normal_(refinement.blind.weight)
    for name, value in refinement.named_parameters():
        if name.endswith("gate"):
            nn.init.uniform_(value, 0.5, 1.0)
    return generator, refinement


@pytest.mark.parametrize("encoder", ["none", "unet"])
def test_training_begins_as_without_refinement_and_every_part_of_it_learns(encoder: EncoderKind) -> None:
    torch.manual_seed(3)
    generator, plain = Generator(16, encoder, refinement_blocks=2), Generator(16, encoder)
    lacking = plain.load_state_dict(generator.state_dict(), strict=False)
    assert {name.split(".")[0] for name in lacking.unexpected_keys} == {"refinement"}
    assert not lacking.missing_keys
    blind = torch.randn(2, 3, generator.input_size, generator.input_size)
    for ours, without in zip(generator(blind), plain(blind), strict=True):
        torch.testing.assert_close(ours, without)
    adam = torch.optim.Adam(generator.parameters(), lr=0.01)
    for _ in range(2):  # first the gates move, then what stands behind them
        before = {name: value.clone() for name, value in generator.named_parameters()}
        adam.zero_grad()
        generator(blind)[-1].square().mean().backward()
        adam.step()
    still = [name for name, value in generator.named_parameters() if torch.equal(value, before[name])]
    assert not [name for name in still if name.startswith("refinement")]


def test_refinement_lets_neighbouring_pixels_of_the_last_image_meet() -> None:
    refinement = refined("none", 2)[1]
    features = torch.randn(1, 2, 128, 128, requires_grad=True)
    refinement(features, torch.randn(1, 3, 16, 16))[0, :, 64, 64].sum().backward()
    assert features.grad is not None
    reached = features.grad[0].abs().sum(0).nonzero()
    assert reached.min() == 60  # four 3x3 convolutions reach four pixels far
    assert reached.max() == 68


@pytest.mark.parametrize("encoder", ["none", "residual"])
def test_refinement_takes_up_the_blind_image_at_full_size(encoder: EncoderKind) -> None:
    generator, refinement = refined(encoder, 1)
    blind = torch.randn(2, 3, generator.input_size, generator.input_size)
    features = generator.steps[2](generator.steps[1](generator.steps[0](generator.stem(blind))))
    large = blind if encoder == "residual" else F.interpolate(blind, scale_factor=8, mode="bilinear")
    last = refinement.blocks(features + refinement.blind(large))
    torch.testing.assert_close(generator(blind)[2], generator.to_rgb[2](last))


def test_generator_refuses_channels_that_cannot_be_halved_three_times() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        Generator(12)


def test_first_steps_do_not_depend_on_how_many_follow() -> None:
    generator = Generator(8).eval()
    blind = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(generator(blind, 1)[0], generator(blind, 3)[0])


@pytest.mark.parametrize(("step", "size"), [(1, 32), (2, 64), (3, 128)])
def test_discriminator_gives_one_score_per_image(step: int, size: int) -> None:
    assert Discriminator(4)(torch.randn(3, 3, size, size), step).shape == (3,)


def test_deviation_channel_equals_a_plain_concatenation() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(4).double()
    features = torch.randn(5, 32, 16, 16, dtype=torch.float64)
    deviation = features.var(dim=0, correction=0).add(1e-8).sqrt().mean()
    joined = torch.cat([features, deviation.expand(5, 1, 16, 16)], dim=1)
    last = discriminator.last
    expected = F.conv2d(joined, last.weight * (2 / (33 * 9)) ** 0.5, last.bias, padding=1)
    torch.testing.assert_close(discriminator._convolve_with_deviation(features, 1), expected)


def test_batch_deviation_of_a_known_batch() -> None:
    features = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1).expand(2, 4, 2, 2)
    assert batch_deviation(features).item() == pytest.approx(1.0)  # population deviation of {1, 3}


def test_batches_in_a_row_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(4)
    first, second = torch.randn(3, 3, 32, 32), 5 * torch.randn(3, 3, 32, 32)
    together = discriminator(torch.cat([first, second]), 1, groups=2)
    torch.testing.assert_close(together, torch.cat([discriminator(first, 1), discriminator(second, 1)]))


def test_scores_are_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Discriminator(4)(torch.randn(2, 3, 32, 32), 1).dtype == torch.float32


def test_equalised_convolution_scales_at_run_time() -> None:
    torch.manual_seed(0)
    layer = EqualisedConv2d(64, 64)
    assert layer.weight.std().item() == pytest.approx(1.0, abs=0.02)
    assert layer.bias.abs().max() == 0
    x = torch.randn(1, 64, 8, 8)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, padding=1) * (2 / (64 * 9)) ** 0.5)


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(64, 64, 3, padding=1), nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1), nn.Linear(1024, 256)],
)
def test_initial_weights_double_the_mean_square(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
    torch.manual_seed(0)
    initialise(layer, gain=2.0)
    shape = (64, 1024) if isinstance(layer, nn.Linear) else (4, 64, 32, 32)
    assert layer(torch.randn(shape)).square().mean().item() == pytest.approx(2.0, rel=0.1)


def test_signals_keep_their_scale_through_the_discriminator() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(16)
    features = F.leaky_relu(discriminator.from_rgb[2](torch.randn(4, 3, 128, 128)), LEAK)
    before = features.square().mean()
    after = discriminator.stages[2](features, []).square().mean()
    assert 0.1 < (after / before).item() < 10


def test_recalibrated_statistics_are_those_of_the_batches() -> None:
    torch.manual_seed(0)
    generator = Generator(8).eval()
    batches = [torch.randn(4, 3, 16, 16) for _ in range(3)]
    recalibrate(generator, batches)
    convolution, norm = generator.stem[0], generator.stem[1]  # type: ignore[index]
    means = torch.stack([convolution(batch).mean(dim=(0, 2, 3)) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, means)
    assert norm.momentum == 0.1
    assert not generator.training


def test_recalibration_without_batches_changes_nothing() -> None:
    generator = Generator(8)
    generator(torch.randn(2, 3, 16, 16))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    recalibrate(generator, [])
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
