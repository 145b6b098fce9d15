"""What is wrong with the input, in one line that a person can act on.

Promised: field, value and fix, in this order, on one line. NOT promised: a value in full; long ones are cut.
"""

LONGEST_VALUE = 120


class BadInput(Exception):
    """Raised by commands; `run` prints it as `foretide: FIELD: VALUE: FIX` and exits with 2.

    The value None is that of a field which has none to show, as what is missing or holds fields of its own.
    """

    def __init__(self, *, field: str, value: object, fix: str) -> None:
        shown = "" if value is None else " ".join(str(value).split())
        if len(shown) > LONGEST_VALUE:
            shown = shown[: LONGEST_VALUE - 1] + "…"
        self.field, self.value, self.fix = field, shown, " ".join(fix.split())
        told = "" if value is None else f"{self.value or '(empty)'}: "
        super().__init__(f"{self.field}: {told}{self.fix}")
