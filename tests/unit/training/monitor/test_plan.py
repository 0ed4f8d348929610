"""The plan of a training run."""

from __future__ import annotations

import pytest

import blindface.training.monitor.plan
from blindface.networks import FaceDiscriminator, Generator, count_parameters
from blindface.params import ObjectiveParams, PerceptualParams, TrainParams, WeightParams
from blindface.training.monitor.plan import count_work, fixed_bytes, plan

NO_BACKBONE = PerceptualParams(backbone="none")
SMALL = TrainParams(device="cpu", epochs=3, generator_channels=8, discriminator_channels=4, perceptual=NO_BACKBONE)


def test_work_of_the_default_networks() -> None:
    gflop, _ = count_work(TrainParams(), "objective1")
    # Forward 3.47, 7.0 and 10.4 GFLOP at steps 1, 2, 3 by hand from the layers' sizes; backward twice that
    # (the stem has no gradient of its input, which is too little to see)
    assert gflop["generator"] == pytest.approx(3 * (3.48 + 6.96 + 10.45), rel=0.01)
    assert sum(gflop.values()) == pytest.approx(780, rel=0.05)  # measured before with VGG16 in VGG19's place


def test_without_adversarial_loss_the_critic_costs_nothing() -> None:
    choice = ObjectiveParams(adversarial=WeightParams(), perceptual=WeightParams())
    params = SMALL.model_copy(update={"objective1": choice})
    gflop, _ = count_work(params, "objective1")
    assert "critic" not in gflop


def test_a_critic_of_faces_is_work_and_memory() -> None:
    without = ObjectiveParams(perceptual=WeightParams())
    faces = without.model_copy(update={"face_adversarial": WeightParams(final=(0.0, 0.0, 0.3))})
    plain, more = (SMALL.model_copy(update={"objective1": choice}) for choice in (without, faces))
    before, after = count_work(plain, "objective1")[0], count_work(more, "objective1")[0]
    assert after["critic"] > before["critic"]
    assert after["losses"] > before["losses"]
    assert after["generator"] == before["generator"]
    # four float32 copies: weights, gradient, two moments of Adam
    grown = fixed_bytes(more, "objective1", 10) - fixed_bytes(plain, "objective1", 10)
    assert grown == 4 * 4 * count_parameters(FaceDiscriminator(4))


def test_plan_scales_with_images_and_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blindface.training.monitor.plan, "_probe", lambda *_: 1e9)
    found = plan(SMALL, "objective1", 10)
    assert found.seconds == pytest.approx(found.gflop_per_image * 10 * 3)
    assert found.generator_parameters == count_parameters(Generator(8))


def test_plan_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blindface.training.monitor.plan, "PROBE_SECONDS", 0.0)
    text = plan(SMALL, "objective2", 10).describe()
    for word in ("objective2", "3 epochs", "parameters", "GFLOP per image", "GB", "images/s on the CPU"):
        assert word in text


def test_memory_grows_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blindface.training.monitor.plan, "_probe", lambda *_: 1e9)
    sizes = [
        plan(SMALL.model_copy(update={"objective1": ObjectiveParams(batch_size=size)}), "objective1", 10).memory_gb
        for size in (8, 16, 24)
    ]
    assert sizes[2] - sizes[1] == pytest.approx(sizes[1] - sizes[0])
    assert sizes[1] > sizes[0]
