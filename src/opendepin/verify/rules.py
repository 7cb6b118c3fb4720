"""The rules installed on this machine, by the name a manifest gives them.

A bundle names a rule as `module:attribute`. That name comes from a stranger, so it never imports
anything by itself: only names that ship with the product, or that an installed package declares as
an entry point of the group `opendepin.rules`, are looked up.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.rule import Rule

GROUP = "opendepin.rules"
SHIPPED = frozenset({"opendepin.demo.clean_air:CLEAN_AIR"})


def installed_rule(compute: str) -> Rule | None:
    """Return the rule of that name, or None when none is installed here.

    Raises:
        RuleBroken: something else is installed under that name.
    """
    if compute not in SHIPPED and compute not in _declared():
        return None
    module, _, attribute = compute.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise RuleBroken(f"the rule {compute} is declared but not there: {error}") from error
    if not isinstance(found, Rule):
        raise RuleBroken(f"{compute} is a {type(found).__name__}, not a rule")
    return found


def _declared() -> set[str]:
    return {point.value for point in entry_points(group=GROUP)}
