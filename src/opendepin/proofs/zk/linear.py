"""Linear expressions over wires: what stands in the three places of a constraint `a · b = c`.

An expression is held twice. `terms` are over witness wires, the form the constraint system sees.
`recipe` is over registers (wires and temporaries that never enter the witness), the cheapest way to
compute the same value.
"""

from __future__ import annotations

from opendepin.core.statement import FIELD_MODULUS

Terms = dict[int, int]
"""Local wire or register → coefficient in 1..r-1."""

ONE = 0
"""The wire that always holds 1; constants are its multiples."""


class Linear:
    """A linear combination of wires; add, subtract or scale it; it never changes."""

    __slots__ = ("recipe", "terms")

    def __init__(self, terms: Terms, recipe: Terms | None = None) -> None:
        self.terms = terms
        self.recipe = terms if recipe is None else recipe

    @staticmethod
    def of(value: Linear | int) -> Linear:
        """Return an expression as it is, and an integer as a constant."""
        if isinstance(value, Linear):
            return value
        return Linear({ONE: value % FIELD_MODULUS} if value % FIELD_MODULUS else {})

    def __add__(self, other: Linear | int) -> Linear:
        return self._plus(Linear.of(other), 1)

    def __sub__(self, other: Linear | int) -> Linear:
        return self._plus(Linear.of(other), FIELD_MODULUS - 1)

    def __mul__(self, factor: int) -> Linear:
        """Scale by a constant; `Trace.product` of two expressions costs a constraint."""
        factor %= FIELD_MODULUS
        if self.recipe is self.terms:
            return Linear(_scaled(self.terms, factor))
        return Linear(_scaled(self.terms, factor), _scaled(self.recipe, factor))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: int) -> Linear:
        return Linear.of(other) - self

    @property
    def constant(self) -> int | None:
        """The value when it does not depend on any wire."""
        if not self.terms:
            return 0
        return self.terms[ONE] if self.terms.keys() == {ONE} else None

    @property
    def wire(self) -> int | None:
        """The wire when the expression is exactly one wire, taken once."""
        if len(self.terms) == 1 and ONE not in self.terms:
            wire, factor = next(iter(self.terms.items()))
            return wire if factor == 1 else None
        return None

    def _plus(self, other: Linear, factor: int) -> Linear:
        terms = _combined(self.terms, other.terms, factor)
        if self.recipe is self.terms and other.recipe is other.terms:
            return Linear(terms)
        return Linear(terms, _combined(self.recipe, other.recipe, factor))


def _scaled(terms: Terms, factor: int) -> Terms:
    return {wire: value * factor % FIELD_MODULUS for wire, value in terms.items()} if factor else {}


def _combined(left: Terms, right: Terms, factor: int) -> Terms:
    result = dict(left)
    for wire, value in right.items():
        together = (result.get(wire, 0) + factor * value) % FIELD_MODULUS
        if together:
            result[wire] = together
        else:
            result.pop(wire, None)
    return result
