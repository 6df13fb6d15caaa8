"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations


class TrainingFault(Exception):
    """A fault with a code, what was expected, what came and what to do; the command line prints it in one line."""

    def __init__(self, code: str, expected: str, came: str, remedy: str) -> None:
        super().__init__(f"{code}: expected {expected}, got {came}; {remedy}")
        self.code = code
        self.expected = expected
        self.came = came
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[TrainingFault], tuple[str, str, str, str]]:
        """Faults travel between processes, which make them anew from these."""
        return type(self), (self.code, self.expected, self.came, self.remedy)
