"""Numbers in words against a table written by hand."""

import pytest

from training.text.numbers import cardinal, clock, digits, ordinal, words, year

CARDINALS = {
    0: "zero", 1: "one", 7: "seven", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen",
    15: "fifteen", 18: "eighteen", 19: "nineteen", 20: "twenty", 21: "twenty one", 30: "thirty", 40: "forty",
    42: "forty two", 50: "fifty", 55: "fifty five", 80: "eighty", 90: "ninety", 99: "ninety nine",
    100: "one hundred", 101: "one hundred one", 110: "one hundred ten", 342: "three hundred forty two",
    900: "nine hundred", 1000: "one thousand", 1001: "one thousand one", 1100: "one thousand one hundred",
    12345: "twelve thousand three hundred forty five", 100000: "one hundred thousand",
    1000000: "one million", 2500000: "two million five hundred thousand", 1000000007: "one billion seven",
    -4: "minus four",
}  # fmt: skip
ORDINALS = {
    1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 8: "eighth", 9: "ninth", 10: "tenth",
    11: "eleventh", 12: "twelfth", 13: "thirteenth", 20: "twentieth", 21: "twenty first", 22: "twenty second",
    30: "thirtieth", 31: "thirty first", 40: "fortieth", 99: "ninety ninth", 100: "one hundredth",
    101: "one hundred first", 1000: "one thousandth",
}  # fmt: skip
YEARS = {
    1100: "eleven hundred", 1492: "fourteen ninety two", 1805: "eighteen oh five", 1900: "nineteen hundred",
    1969: "nineteen sixty nine", 2000: "two thousand", 2007: "two thousand seven", 2010: "twenty ten",
    2026: "twenty twenty six",
}  # fmt: skip


def test_cardinals() -> None:
    assert {n: cardinal(n) for n in CARDINALS} == CARDINALS
    assert cardinal(1042, with_and=True) == "one thousand and forty two"
    assert cardinal(342, with_and=True) == "three hundred and forty two"


def test_ordinals() -> None:
    assert {n: ordinal(n) for n in ORDINALS} == ORDINALS


def test_years_digits_and_the_clock() -> None:
    assert {n: year(n) for n in YEARS} == YEARS
    assert digits([5, 0, 9]) == "five zero nine"
    assert digits([5, 0, 9], "oh") == "five oh nine"
    assert [clock(7, 0), clock(7, 5), clock(12, 30)] == ["seven", "seven oh five", "twelve thirty"]


def test_out_of_range() -> None:
    with pytest.raises(ValueError, match="1100 to 2099"):
        year(99)
    with pytest.raises(ValueError, match="put in words"):
        cardinal(10**12)


def test_its_words_are_listed() -> None:
    said = {word for n in range(2000) for word in (cardinal(n) + " " + ordinal(n)).split()}
    assert said - words() == set()
