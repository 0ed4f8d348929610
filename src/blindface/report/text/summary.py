"""The opening paragraph: what was done on what data and what came out, in plain words made from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blindface.evaluation.paper import PAPER_METRICS, PAPER_VALUES, PaperMetric
from blindface.params import OBJECTIVES
from blindface.report.inputs.material import Material
from blindface.report.inputs.names import SOURCES
from blindface.report.inputs.scores import decimals, find, label_of
from blindface.report.text.differences import Difference, differences
from blindface.restoration.methods import Method

PIXELS, LOOKS = PAPER_METRICS[0], PAPER_METRICS[3]
"""The two metrics of the opening: how near the pixels are, and how alike the images look."""

PHRASES = {
    PIXELS.name: {
        "better": "brings the images nearer to the originals pixel by pixel",
        "worse": "takes the images farther from the originals pixel by pixel",
        "unclear": "does not clearly bring the images nearer to the originals pixel by pixel, nor farther",
    },
    LOOKS.name: {
        "better": "makes them look more like the originals to a network fitted to people's judgement",
        "worse": "makes them look less like the originals to a network fitted to people's judgement",
        "unclear": "does not clearly change how alike they look to a network fitted to people's judgement",
    },
}
"""What a verdict says in words, by the paper's metric."""


@dataclass(frozen=True)
class Change:
    """What an objective's leading row does to one metric: the blind images' number, the restored ones', the verdict.

    `paper` holds the paper's two numbers where ours follow its protocol.
    """

    method: Method
    metric: PaperMetric
    label: str
    before: str
    after: str
    verdict: str
    paper: tuple[str, str] | None

    @property
    def unit(self) -> str:
        """A unit to print after the numbers, with its space."""
        return " dB" if self.metric is PIXELS else ""


@dataclass(frozen=True)
class Findings:
    """What is computed once from the material: paired differences, and what restoring changes."""

    differences: Sequence[Difference]
    changes: Sequence[Change]


def find_out(material: Material) -> Findings:
    """Compute the findings."""
    found = differences(material)
    return Findings(found, changes(material, found))


def changes(material: Material, found: Sequence[Difference]) -> list[Change]:
    """For each objective PSNR and LPIPS from the blind image to the restored one, as far as there are numbers."""
    result = []
    for lead in filter(None, map(material.lead, OBJECTIVES)):
        for metric in (PIXELS, LOOKS):
            change = _change(material, lead, metric, found)
            if change is not None:
                result.append(change)
    return result


def _change(material: Material, lead: Method, metric: PaperMetric, found: Sequence[Difference]) -> Change | None:
    blind, own = str(lead.blind), lead.name
    name = find(material.scores, metric.same, metric.kin)
    values = [_value(material, row, name) for row in (blind, own)]
    if name is None or values[0] is None or values[1] is None:
        return None
    places = decimals(values)
    same = name in metric.same
    return Change(
        method=lead,
        metric=metric,
        label=metric.label if same else label_of(material.scores, name),
        before=f"{values[0]:.{places}f}",
        after=f"{values[1]:.{places}f}",
        verdict=_verdict(own, blind, name.removesuffix("_batch"), values[1] - values[0], found),
        paper=(PAPER_VALUES[blind][metric.name].parts[0], PAPER_VALUES[own][metric.name].parts[0])
        if same and own in PAPER_VALUES
        else None,
    )


def _value(material: Material, method: str, name: str | None) -> float | None:
    scores = material.scores.get(method)
    metric = scores.metrics.get(name or "") if scores else None
    return metric.value if metric else None


def _verdict(method: str, base: str, name: str, gain: float, found: Sequence[Difference]) -> str:
    """Of the paired difference per image; unclear where that is unknown or points the other way than the batches."""
    wanted = (method, base, name)
    entry = next((entry for entry in found if (entry.method, entry.base, entry.metric) == wanted), None)
    return "unclear" if entry is None or entry.mean * gain <= 0 else entry.verdict


def paragraph(material: Material, found: Sequence[Change]) -> str:
    """What was done on what data and what came out."""
    return " ".join([_what_was_done(material), *_what_came_out(found), *_what_the_paper_says(found)])


def _what_was_done(material: Material) -> str:
    text = (
        f"Faces from {SOURCES[material.params.fetch.source]}{_counts(material)} were degraded on purpose: blurred, "
        "reduced, made noisy and compressed. Models learned to undo this without being told what was done to an "
        "image: those of objective 1 make 128×128 pixels out of 16×16, those of objective 2 restore images of 128×128."
    )
    train, test = material.parts.get("train"), material.parts.get("test")
    if train and test:
        text += f" They were trained on {train:,} images and are tested on {test:,} that no training has used."
    return text


def _counts(material: Material) -> str:
    if material.photographs is None:
        return ""
    pictures = "images" if material.params.fetch.source == "embedded" else "photographs"
    return f" ({material.photographs:,} {pictures}{material.of_people})"


def _what_came_out(found: Sequence[Change]) -> list[str]:
    if not found:
        return ["Nothing can be said about the outcome: no scores of the two models and their blind inputs were given."]
    sentences = []
    for method in dict.fromkeys(change.method for change in found):
        own = [change for change in found if change.method == method]
        joint = " and " if len({change.verdict for change in own}) == 1 else ", but "
        sentences.append(f"{method.label[0].upper()}{method.label[1:]} {joint.join(_clauses(own))}.")
    return sentences


def _clauses(own: Sequence[Change]) -> list[str]:
    direction = {"higher": "higher is better", "lower": "lower is better"}
    return [
        f"{PHRASES[change.metric.name][change.verdict]} "
        f"({change.label} {change.before} → {change.after}{change.unit}, {direction[change.metric.better]})"
        for change in own
    ]


def _what_the_paper_says(found: Sequence[Change]) -> list[str]:
    texts = [
        f"{change.metric.label} {change.paper[0]} → {change.paper[1]}{change.unit} for {change.method.label}"
        for change in found
        if change.paper is not None
    ]
    return (
        [f"The paper reports, on LFW, {', '.join(texts[:-1])}{' and ' if texts[1:] else ''}{texts[-1]}."]
        if texts
        else []
    )
