"""The game of critic and generator: Wasserstein distance with gradient penalty (Gulrajani et al. 2017).

Written D for the critic, x for targets, y for outputs of the generator:
    critic      minimises  E[D(y)] - E[D(x)] + lambda E[(|grad D(z)| - 1)^2] + drift E[D(x)^2],   equation (2)
    generator   minimises  -E[D(y)]
with z on the straight line between a target and an output.
"""

from __future__ import annotations

from torch import Tensor, autograd, linalg, nn

from blindface.base.numerics import in_full


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(y)] - E[D(x)], the first two terms of equation (2). real, fake: (N,) scores. Its negative is the gap."""
    return fake.mean() - real.mean()


def adversarial_loss(fake: Tensor) -> Tensor:
    """-E[D(y)], what the generator minimises. fake: (N,) scores of its outputs."""
    return -fake.mean()


def drift(real: Tensor) -> Tensor:
    """E[D(x)^2]: with a small weight it keeps the scores, which the loss leaves free to shift, near zero."""
    return real.square().mean()


class GradientPenalty(nn.Module):
    """E[(|grad_z D(z)|_2 - 1)^2] on interpolates z = x + mix (y - x), equation (2) without its lambda.

    The gradient is taken of the sum of the scores with respect to each image; where the critic looks at the whole batch
    (its deviation channel) that part is included, as in the ancestors. The norm is one of float32 values, also under
    autocast. A critic with a method `image_gradient(images, step)` gives the gradient itself (ours does, see there);
    any other is differentiated twice, which is slower and cannot be compiled.
    """

    def forward(self, discriminator: nn.Module, real: Tensor, fake: Tensor, step: int, mix: Tensor) -> Tensor:
        """real, fake: (N, 3, H, W); mix: (N, 1, 1, 1) uniform in [0, 1], drawn by the caller. Returns a scalar."""
        real, fake = in_full(real.detach()), in_full(fake.detach())
        between = real + mix * (fake - real)
        own = getattr(discriminator, "image_gradient", None)
        gradients = image_gradient_by_autograd(discriminator, between, step) if own is None else own(between, step)
        norms: Tensor = linalg.vector_norm(in_full(gradients), dim=(1, 2, 3))
        return (norms - 1.0).square().mean()


def image_gradient_by_autograd(discriminator: nn.Module, images: Tensor, step: int) -> Tensor:
    """The gradient of the sum of any critic's scores with respect to the images, fit to be differentiated again."""
    images = images.detach().requires_grad_()
    (gradients,) = autograd.grad(discriminator(images, step).sum(), images, create_graph=True)
    return gradients
