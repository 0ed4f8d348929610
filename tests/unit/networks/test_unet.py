"""The U-Net: begins as the enlarged blind image, at any width, and every weight learns."""

from __future__ import annotations

import pytest
import torch

from blindface.base.errors import ParameterError
from blindface.networks import count_parameters
from blindface.networks.unet import Attention, ResidualBlock, RestorationUNet, UNet, VelocityUNet, double, enlarge

NARROW = ((8, 12, 16), (1, 1, 1))


def wake(network: torch.nn.Module) -> None:
    """Give what begins at zero random values."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in network.parameters():
            if not value.any():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.05)


@pytest.mark.parametrize("side", [16, 128])
def test_it_begins_as_the_enlarged_blind_image(side: int) -> None:
    blind = torch.rand(2, 3, side, side) * 2 - 1
    restored = RestorationUNet(*NARROW)(blind)
    assert restored.shape == (2, 3, 128, 128)
    torch.testing.assert_close(restored, enlarge(blind), rtol=0, atol=0)


@pytest.mark.parametrize("channels", [(4, 8), (7, 9, 20), (10, 22, 26, 12), (32, 32, 64, 128, 4)])
def test_any_width_and_depth_gives_an_image(channels: tuple[int, ...]) -> None:
    network = UNet(5, channels, [1] * len(channels), time=True)
    assert network(torch.randn(2, 5, 32, 32), torch.rand(2)).shape == (2, 3, 32, 32)


def test_a_stem_of_two_works_at_half_the_size_and_begins_as_the_enlarged_blind_image() -> None:
    blind = torch.rand(2, 3, 16, 16) * 2 - 1
    network = RestorationUNet(*NARROW, stem=2)
    torch.testing.assert_close(network(blind), enlarge(blind), rtol=0, atol=0)
    wake(network)
    network(blind).square().sum().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()] == []
    with pytest.raises(ParameterError, match="1 or 2"):
        RestorationUNet(*NARROW, stem=3)


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match="as many widths"):
        UNet(3, (8, 16), (1,))
    with pytest.raises(ParameterError, match="divide by the 4 heads"):
        UNet(3, (8, 18), (1, 1))


def test_the_default_fits_a_file_of_20_to_25_megabytes_in_half_precision() -> None:
    assert 20e6 < 2 * count_parameters(RestorationUNet()) < 25e6  # issue 20


def test_every_weight_learns() -> None:
    network = VelocityUNet(*NARROW)
    wake(network)
    image = torch.randn(2, 3, 16, 16)
    network.velocity(image, torch.tensor([0.2, 0.7]), image.flip(2), image.flip(3)).square().sum().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_the_result_depends_on_the_time_and_on_no_other_image() -> None:
    network = VelocityUNet(*NARROW).eval()
    wake(network)
    images = torch.randn(3, 9, 16, 16)
    together = network(images, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(network(images[1:2], torch.tensor([0.5])), together[1:2])
    assert not torch.allclose(network(images[1:2], torch.tensor([0.6])), together[1:2])


def test_attention_is_pytorchs_own() -> None:
    layer = Attention(16, heads=4)
    wake(layer)
    x = torch.randn(2, 16, 4, 6)
    parts = layer.enter(layer.norm(x)).reshape(2, 3, 4, 4, 24).transpose(-1, -2)
    wanted = torch.nn.functional.scaled_dot_product_attention(*parts.unbind(1)).transpose(-1, -2).reshape(x.shape)
    torch.testing.assert_close(layer(x), x + layer.leave(wanted))


def test_a_block_begins_as_its_shortcut() -> None:
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(ResidualBlock(8, 8, 6)(x, torch.randn(2, 6)), x)


def test_doubling_repeats_pixels() -> None:
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(double(x), torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest"))


def test_it_is_traced_as_one_graph() -> None:
    network = RestorationUNet(*NARROW).eval()
    blind = torch.randn(2, 3, 16, 16)
    traced = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(traced(blind), network(blind))
