"""Numbers in English words: lower case, no hyphens, no commas."""

from collections.abc import Sequence

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"))
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
LARGEST = 10**12 - 1


def cardinal(n: int, with_and: bool = False) -> str:
    """`n` in words: 342 is 'three hundred forty two', or with `with_and` 'three hundred and forty two'.

    Negative numbers begin with 'minus'. ValueError beyond ±999 999 999 999.
    """
    if abs(n) > LARGEST:
        raise ValueError(f"numbers up to {LARGEST} can be put in words, not {n}")
    if n < 0:
        return "minus " + cardinal(-n, with_and)
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (" " + ONES[n % 10] if n % 10 else "")
    if n < 1000:
        rest = (" and " if with_and else " ") + cardinal(n % 100) if n % 100 else ""
        return ONES[n // 100] + " hundred" + rest
    for size, name in SCALES:
        if n >= size:
            left = n % size
            joint = " and " if with_and and 0 < left < 100 else " "
            return (
                cardinal(n // size, with_and)
                + " "
                + name
                + (joint + cardinal(left, with_and) if left else "")
            )
    raise AssertionError(n)


def ordinal(n: int) -> str:
    """`n` as an ordinal: 21 is 'twenty first'."""
    *front, last = cardinal(n).split()
    if last in ORDINALS:
        last = ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*front, last])


def digits(values: Sequence[int], zero: str = "zero") -> str:
    """One word for each digit, as in a telephone number; `zero` is 'zero' or 'oh'."""
    return " ".join(ONES[d] if d else zero for d in values)


def year(n: int) -> str:
    """A year from 1100 to 2099 as it is spoken: 1905 'nineteen oh five', 2000 'two thousand'."""
    if not 1100 <= n <= 2099:
        raise ValueError(f"years from 1100 to 2099 are put in words, not {n}")
    century, rest = divmod(n, 100)
    if century == 20 and rest < 10:
        return cardinal(n)
    if rest == 0:
        return cardinal(century) + " hundred"
    return cardinal(century) + " " + ("oh " + ONES[rest] if rest < 10 else cardinal(rest))


def clock(hour: int, minute: int) -> str:
    """The face of a clock read aloud: (7, 5) 'seven oh five', (7, 0) 'seven'."""
    if minute == 0:
        return cardinal(hour)
    return cardinal(hour) + " " + ("oh " + ONES[minute] if minute < 10 else cardinal(minute))


def words() -> set[str]:
    """Every word this module can say."""
    cardinals = {*ONES, *TENS, "hundred", "and", "minus", *(name for _, name in SCALES)}
    ordinals = {ordinal(n) for n in (*range(20), *range(20, 100, 10))}
    return cardinals | ordinals | {"hundredth", "thousandth", "oh"}
