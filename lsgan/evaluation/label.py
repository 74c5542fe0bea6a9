"""What a number means: two numbers compare where their labels are equal, and nowhere else."""

from dataclasses import asdict, dataclass
from typing import Any

SHOWN = 8  # digits of a digest, for people


@dataclass(frozen=True)
class Label:
    """What a metric was taken from.

    Args:
        extractor: of the features, by name.
        weights: SHA-256 of its weights.
        rule: how samples became its input.
        reference: the side of the real samples: training or held-out.
        data: digest of what the real samples are.
        num_real: how many of them.
        num_generated: how many generated ones.
        definitions: what else the metrics leave open: their k, what a covered mode is.
    """

    extractor: str
    weights: str
    rule: str
    reference: str
    data: str
    num_real: int
    num_generated: int
    definitions: str

    def told(self) -> str:
        """One line for people."""
        return (
            f"features {self.extractor} {self.weights[:SHOWN]} ({self.rule}), "
            f"{self.num_generated:,} generated against {self.num_real:,} {self.reference} samples "
            f"(data {self.data[:SHOWN]}); {self.definitions}"
        )

    def content(self) -> dict[str, Any]:
        """Plain values, as JSON keeps them."""
        return asdict(self)
