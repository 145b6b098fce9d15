"""What is wrong with the input, in one line that a person can act on.

Promised: field, value and fix, in this order, on one line. NOT promised: a value in full; long ones are cut.
"""

LONGEST_VALUE = 120


class BadInput(Exception):
    """Raised by commands; `run` prints it as `foretide: FIELD: VALUE: FIX` and exits with 2.

    A `value` of None is left out: nothing was given, or the fault is in several fields at once.
    """

    def __init__(self, *, field: str, value: object, fix: str) -> None:
        shown = "" if value is None else " ".join(str(value).split())
        if len(shown) > LONGEST_VALUE:
            shown = shown[: LONGEST_VALUE - 1] + "…"
        self.field, self.value, self.fix = field, shown, " ".join(fix.split())
        said = "" if value is None else f"{self.value or '(empty)'}: "
        super().__init__(f"{self.field}: {said}{self.fix}")
