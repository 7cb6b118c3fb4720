"""What Python would do with a value that is not known: each refused, with what to write instead.

A rule is traced without any reading, so a value of a reading has no truth, no order and no digits
while Python runs. Each trap says so at the project's line and names the nearest form that a proof
can have.
"""

from __future__ import annotations

import ast
from typing import NoReturn

from opendepin.rules.errors import RuleRejected
from opendepin.rules.places import Place, around, here

NOT_KNOWN = "a reading's value is not known while the rule is traced"

_CALLS = {
    "max": "largest_of(a, b), which Python's max() cannot be",
    "min": "smallest_of(a, b), which Python's min() cannot be",
    "sorted": "histogram(), quantile() or top(); readings have no order inside a proof",
    "any": "any_of(flags)",
    "all": "all_of(flags)",
    "filter": "where=flag on the figure, or group_by(..., where=flag)",
}

BRANCH = "select(condition, yes, no) for a value, where=condition for what is counted"


def refuse(reason: str, nearest: str = "") -> NoReturn:
    """Refuse what the project's line says."""
    raise RuleRejected(reason, nearest, here())


class Value:
    """What a rule computes with; base of numbers, flags, choices and packs."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        place = here()
        what, nearest = _why_truth(place)
        raise RuleRejected(f"{NOT_KNOWN}, so {what}", nearest, place)

    def __hash__(self) -> NoReturn:
        refuse(
            f"{NOT_KNOWN}, so it cannot be looked up in a dict or a set",
            "Table(...) joins a value with constants: Table({0: 'a', 1: 'b'}).choice(value)",
        )

    def __iter__(self) -> NoReturn:
        refuse(
            f"{NOT_KNOWN}, so there is nothing to loop over",
            "loop over an array field, or over range() with constants",
        )

    def __index__(self) -> NoReturn:
        refuse(
            f"{NOT_KNOWN}, so it is no index and no length of a loop",
            "Table([...]).number(value) for an index; a constant range() for a loop",
        )

    def __int__(self) -> NoReturn:
        refuse(
            f"{NOT_KNOWN}, so int() has nothing to convert",
            "value.at_scale(0) drops decimals, rounding down",
        )

    def __float__(self) -> NoReturn:
        refuse(
            "a proof knows whole numbers and decimals with a declared scale, no float",
            "keep the value as it is; value.at_scale(n) changes its decimals",
        )

    def __round__(self, digits: int = 0) -> NoReturn:
        refuse(
            "round() would need to know the value",
            f"value.at_scale({digits}), which always rounds down",
        )

    def __str__(self) -> NoReturn:
        refuse(
            f"{NOT_KNOWN}, so it cannot become a text",
            "name figures with constants; a proof carries no strings",
        )

    def __format__(self, form: str) -> NoReturn:
        self.__str__()


def _why_truth(place: Place | None) -> tuple[str, str]:
    """Say what of the line asked for a truth, and the nearest form."""
    if place is not None:
        inside: ast.AST | None = None
        for node in around(place):
            found = _of_node(node, inside)
            if found is not None:
                return found
            inside = node
    return "nothing can branch on it", BRANCH


def _of_node(node: ast.AST, inside: ast.AST | None) -> tuple[str, str] | None:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            return f"{name}() cannot look at it", _CALLS[name]
        case ast.BoolOp(op=op):
            word, sign = ("and", "&") if isinstance(op, ast.And) else ("or", "|")
            return f"`{word}` cannot look at it", f"(a) {sign} (b), with the brackets"
        case ast.UnaryOp(op=ast.Not()):
            return "`not` cannot look at it", "~(condition)"
        case ast.Compare(ops=[ast.In() | ast.NotIn(), *_]):
            return "`in` cannot look at it", "value.one_of(1, 2, 3)"
        case ast.Compare(ops=ops) if len(ops) > 1:
            return "a chain of comparisons cannot look at it", "(low <= value) & (value < high)"
        case ast.IfExp(test=test) if test is inside:
            return "`… if … else …` cannot choose by it", "select(condition, yes, no)"
        case ast.If(test=test) if test is inside:
            return "`if` cannot choose by it", BRANCH
        case ast.While(test=test) if test is inside:
            return "`while` cannot stop by it", "a loop over range() with a constant, and select()"
        case ast.comprehension():
            return "a comprehension cannot filter by it", "where=condition on the figure"
        case ast.Assert():
            return "`assert` cannot look at it", "where=condition on the figure"
        case _:
            return None
