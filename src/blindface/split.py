"""The stage `split`: which photographs train, validate and test.

The output is a CSV with the columns `id` and `part` (train, validation, test), sorted by id. Photographs that a limit
leaves out are not in it.

An order is made by hashing (seed, id), not by shuffling a list: the same seed gives the same lists on every machine
and under every version of Python and NumPy, and a missing photograph leaves the order of the others as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from blindface.base.errors import InputError
from blindface.base.files import write_text
from blindface.base.image_table import read_table
from blindface.base.progress import say
from blindface.base.randomness import derive_seed
from blindface.base.tables import read_rows
from blindface.params.data import PARTS, Part, SplitParams

OfficialLists = tuple[Path, Path]
"""LFW's peopleDevTrain.txt and peopleDevTest.txt."""


def make_split(
    targets: Path, params: SplitParams, output: Path, official: OfficialLists | None = None
) -> dict[str, int]:
    """Write the split of the photographs in `targets`; returns the number of photographs of each part.

    `official` is needed for params.by "official" alone. Errors: InputError if there are too few photographs.
    """
    table = read_table(targets)
    people = dict(zip(table["id"], table["person"], strict=True))
    parts = split_photographs(people, params, official)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "part"])
    writer.writerows(sorted(parts.items()))
    write_text(output, text.getvalue())
    counts: dict[str, int] = {part: sum(value == part for value in parts.values()) for part in PARTS}
    if counts["train"] < counts["validation"]:
        say(
            f"blindface: only {counts['train']} of {len(people)} photographs train, fewer than the "
            f"{counts['validation']} that validate: lower split.validation ({params.validation}) or add photographs"
        )
    return counts


def split_photographs(
    people: Mapping[str, str], params: SplitParams, official: OfficialLists | None = None
) -> dict[str, Part]:
    """The part of each photograph; `people` maps image ids to names of people.

    By image, train_share * N photographs, rounded, train, validation included: 10,586 of LFW's 13,233; 2,647 test.
    By identity (and official) no person stands in two parts. Limits keep the first photographs of a part's own order.
    Errors: InputError if a part would be empty.
    """
    if len(people) < 2:
        raise InputError(f"a split needs at least 2 photographs, there are {len(people)}: add photographs")
    order = _ordered(people, params.seed, "photographs")
    if params.by == "official":
        learning, test = _by_lists(order, people, official)
    else:
        learning, test = _cut(order, people, int(params.train_share * len(people) + 0.5), params, "test")
    validation, train = _cut(learning, people, params.validation, params, "validation")
    train, test = train[: params.train_limit], test[: params.test_limit]
    _refuse_empty(train, test, params, len(people))
    chosen: dict[Part, list[str]] = {"train": train, "validation": validation, "test": test}
    return {name: part for part, names in chosen.items() for name in names}


def _ordered(names: Collection[str], seed: int, purpose: str) -> list[str]:
    return sorted(names, key=lambda name: (derive_seed(seed, "split", purpose, name), name))


def _cut(
    order: Sequence[str], people: Mapping[str, str], size: int, params: SplitParams, purpose: str
) -> tuple[list[str], list[str]]:
    """The first `size` photographs of the order, and the rest; whole people where people must not be divided.

    People are taken in an order of their own as long as they fit, so the first share may fall short of `size`.
    """
    if params.by == "image":
        return list(order[:size]), list(order[size:])
    counts: dict[str, int] = {}
    for name in order:
        counts[people[name]] = counts.get(people[name], 0) + 1
    taken: set[str] = set()
    for person in _ordered(counts, params.seed, f"people {purpose}"):
        if counts[person] <= size:
            taken.add(person)
            size -= counts[person]
    return [name for name in order if people[name] in taken], [name for name in order if people[name] not in taken]


def _by_lists(
    order: Sequence[str], people: Mapping[str, str], official: OfficialLists | None
) -> tuple[list[str], list[str]]:
    if official is None:
        raise InputError(
            "split.by 'official' needs LFW's lists: give the paths of peopleDevTrain.txt and peopleDevTest.txt "
            "by --people-train and --people-test"
        )
    train, test = (read_people(path) for path in official)
    if train & test:
        raise InputError(
            f"{sorted(train & test)[0]} stands in both {official[0]} and {official[1]}: give LFW's own lists"
        )
    strangers = sorted(set(people.values()) - train - test)
    if strangers:
        raise InputError(
            f"{len(strangers)} people, first {strangers[0]}, are in neither {official[0]} nor {official[1]}: "
            "split.by 'official' fits LFW alone, use 'image' or 'identity'"
        )
    return [name for name in order if people[name] in train], [name for name in order if people[name] in test]


def read_people(path: Path) -> set[str]:
    """The names in one of LFW's lists: their number, then lines `name<TAB>photographs`. Errors: InputError."""
    try:
        lines = Path(path).read_text().split("\n")
        count = int(lines[0])
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is missing: give the path of LFW's peopleDevTrain.txt or peopleDevTest.txt"
        ) from error
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not one of LFW's lists of people: its first line must be their number") from error
    names = {line.split("\t")[0] for line in lines[1:] if line.strip()}
    if len(names) != count:
        raise InputError(f"{path} names {len(names)} people but announces {count}: fetch it again")
    return names


def _refuse_empty(train: Sequence[str], test: Sequence[str], params: SplitParams, photographs: int) -> None:
    if train and test:
        return
    part, remedy = ("test", "lower split.train_share") if train else ("train", "lower split.validation")
    raise InputError(
        f"the {part} part would be empty: {photographs} photographs, train_share {params.train_share}, validation "
        f"{params.validation}, by {params.by}; add photographs or {remedy}"
    )


def read_split(path: Path) -> dict[str, Part]:
    """The part of each photograph in a split file, in the order of the file. Errors: InputError."""
    rows = read_rows(path, ("id", "part"), "make it with 'blindface split'")
    result: dict[str, Part] = {}
    for number, row in enumerate(rows, start=2):
        if row[1] not in PARTS:
            raise InputError(f"{path}, line {number}: expected an image id and one of {', '.join(PARTS)}, got {row}")
        if row[0] in result:
            raise InputError(f"{path}, line {number}: {row[0]} stands there twice; make the split again")
        result[row[0]] = row[1]
    return result


def read_part(path: Path, part: Part) -> list[str]:
    """The ids of one part, sorted. Errors: InputError."""
    return sorted(name for name, value in read_split(path).items() if value == part)
