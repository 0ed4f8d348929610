"""What the drawn parameters of equation (1) are called, for people."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """Symbol and meaning of a drawn parameter; rising: whether a larger value is the stronger degradation."""

    symbol: str
    meaning: str
    rising: bool

    @property
    def title(self) -> str:
        """`Blur kernel k`."""
        return f"{self.meaning[0].upper()}{self.meaning[1:]} {self.symbol}"


DRAWS = {
    "k": Name("k", "blur kernel", True),
    "sigma": Name("σ", "blur", True),
    "s": Name("s", "reduced size", False),
    "delta": Name("δ", "noise", True),
    "q": Name("q", "JPEG quality", False),
}
"""By the field of `blindface.degradation.draws.Drawn`."""
