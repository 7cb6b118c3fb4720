"""Write the verifier contract (Vyper 0.4.3) of a program: its key and the range of each output.

In: a verification key and the outputs' maxima. Out: source text. The pairing equation is checked as
e(A, B) · e(alpha, -beta) · e(inputs, -gamma) · e(C, -delta) = 1, with beta, gamma and delta stored
negated, so that the proof's points go through exactly as the prover wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.core.limits import MAX_OUTPUTS
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.combined import COMBINED
from opendepin.proofs.zk.keys import BASE_MODULUS, Keys, Words

PUBLIC_INPUTS = 3


@dataclass(frozen=True)
class Run:
    """A stretch of outputs: a pattern of maxima that repeats."""

    pattern: tuple[int, ...]
    times: int

    @property
    def length(self) -> int:
        """Outputs in the stretch."""
        return len(self.pattern) * self.times


@dataclass(frozen=True)
class Verifier:
    """A generated verifier."""

    source: str
    layout: tuple[Run, ...]
    development: bool


def runs(maxima: Sequence[int]) -> tuple[Run, ...]:
    """Cut maxima into repeating patterns, greedily the stretch that covers most outputs."""
    found: list[Run] = []
    at = 0
    while at < len(maxima):
        best = max(
            (_repeated(maxima, at, width) for width in range(1, min(8, len(maxima) - at) + 1)),
            key=lambda run: (run.length if run.times > 1 else 1, -len(run.pattern)),
        )
        found.append(best if best.times > 1 else Run((maxima[at],), 1))
        at += found[-1].length
    return tuple(found)


def _repeated(maxima: Sequence[int], at: int, width: int) -> Run:
    pattern = tuple(maxima[at : at + width])
    times = 1
    while tuple(maxima[at + times * width : at + (times + 1) * width]) == pattern:
        times += 1
    return Run(pattern, times)


def verifier(keys: Keys, maxima: Sequence[int]) -> Verifier:
    """Write the contract for a program's keys and its outputs' maxima.

    Raises:
        RuleBroken: the key is for another number of public inputs, or a maximum is not below r.
    """
    if len(keys.vk.inputs) != PUBLIC_INPUTS + 1:
        raise RuleBroken(
            f"the key has {len(keys.vk.inputs) - 1} public inputs, not {PUBLIC_INPUTS}"
        )
    if not 1 <= len(maxima) <= MAX_OUTPUTS or any(not 0 <= each < FIELD_MODULUS for each in maxima):
        raise RuleBroken(f"1..{MAX_OUTPUTS} outputs with maxima below r are due")
    layout = runs(maxima)
    beta, gamma, delta = map(_negated, keys.vk.g2)
    source = (_SOURCE + COMBINED).format(
        title=_title(keys),
        modulus=FIELD_MODULUS,
        count=len(maxima),
        bound=MAX_OUTPUTS,
        inputs=PUBLIC_INPUTS,
        constants=_constants(keys.vk.inputs),
        accumulate=_accumulate("inputs", 0),
        horner=_horner(layout, "False"),
        folding=_horner(layout, "max_value(uint256)"),
        accumulate_sums=_accumulate("sums", 1),
        alpha=_words(keys.vk.alpha),
        alpha_point=", ".join(str(word) for word in keys.vk.alpha),
        neg_beta=_words(beta),
        neg_gamma=_words(gamma),
        neg_delta=_words(delta),
        add=f"0x{6:040x}",
        multiply=f"0x{7:040x}",
        pairing=f"0x{8:040x}",
    )
    return Verifier(source, layout, keys.development)


def _title(keys: Keys) -> str:
    lines = [f"# Circuit {keys.circuit.hex()}", f"# Verification key {keys.vk.hash.hex()}"]
    if keys.development:
        lines.append(
            "# DEVELOPMENT KEY: one party made it and can forge proofs. Local networks only."
        )
    return "\n".join(lines)


def _negated(point: Words) -> Words:
    return (*point[:2], *(-word % BASE_MODULUS for word in point[2:]))


def _words(point: Words) -> str:
    """Write words as 32-byte literals: the compiler finds decimals in abi_encode ambiguous."""
    return ",\n            ".join(f"0x{word:064x}" for word in point)


def _constants(points: Sequence[Words]) -> str:
    return "\n".join(
        f"K{number}{axis}: constant(uint256) = {word}"
        for number, point in enumerate(points)
        for axis, word in zip("XY", point, strict=True)
    )


def _accumulate(factors: str, first: int) -> str:
    """Write the sum of the key's points by their factors, `factors[first]` that of K1."""
    return "\n".join(
        f"    px, py, ok = self._scaled(K{number}X, K{number}Y, {factors}[{number - 1 + first}])\n"
        "    if not ok:\n        return False\n"
        "    x, y, ok = self._added(x, y, px, py)\n"
        "    if not ok:\n        return False"
        for number in range(1, PUBLIC_INPUTS + 1)
    )


def _horner(layout: Sequence[Run], refused: str) -> str:
    """Write the loops over the outputs, last to first: check each, fold it in."""
    lines: list[str] = []
    end = sum(run.length for run in layout)
    for number, run in enumerate(reversed(layout)):
        width = len(run.pattern)
        lines.append(f"    # outputs {end - run.length} to {end - 1}")
        if run.times == 1:
            lines += _folded(f"outputs[{end - 1}]", run.pattern[0], refused, " " * 4)
        else:
            lines.append(f"    for i{number}: uint256 in range({run.times}):")
            for place, maximum in reversed([*enumerate(run.pattern)]):
                base = end - width + place
                step = f"unsafe_mul({width}, i{number})" if width > 1 else f"i{number}"
                output = f"outputs[unsafe_sub({base}, {step})]"
                lines += _folded(output, maximum, refused, " " * 8)
        end -= run.length
    return "\n".join(lines)


def _folded(output: str, maximum: int, refused: str, indent: str) -> list[str]:
    return [
        f"{indent}out = {output}",
        f"{indent}if out > {maximum}:",
        f"{indent}    return {refused}",
        f"{indent}evaluation = uint256_mulmod(unsafe_add(evaluation, out), statement, R)",
    ]


_SOURCE = '''\
# pragma version 0.4.3
# pragma optimize gas
# Generated: Groth16 over BN254 with three public inputs [statement, evaluation, field root].
{title}

R: constant(uint256) = {modulus}
OUTPUTS: constant(uint256) = {count}
PROOF_BYTES: constant(uint256) = 256
PAIRING_GAS: constant(uint256) = 300_000  # the price is 181,000; a refusing precompile eats all
{constants}


@external
@pure
def output_count() -> uint256:
    """
    @notice How many outputs the program has.
    """
    return OUTPUTS


@external
@view
def verify(proof: uint256[8], inputs: uint256[{inputs}]) -> bool:
    """ @notice Whether a proof verifies for the public inputs; false, never a revert, for anything
    else. @param proof A.x A.y B.x.im B.x.re B.y.im B.y.re C.x C.y @param inputs statement,
    evaluation, field root
    """
    return self._verify(proof, inputs)


@external
@view
def check(
    statement: uint256,
    field_root: uint256,
    outputs: DynArray[uint256, {bound}],
    proof: Bytes[2048],
) -> bool:
    """ @notice Whether `proof` shows that the program gives exactly `outputs` over the readings
    under `field_root`. @dev `statement` must contain the hash of `outputs` and must be computed by
    the caller from its own storage.
         The exact length and each output's range come first: otherwise out + R or a trailing zero
         would pass.
    """
    if len(outputs) != OUTPUTS or len(proof) != PROOF_BYTES:
        return False
    evaluation: uint256 = 0
    out: uint256 = 0
{horner}
    words: uint256[8] = abi_decode(proof, uint256[8])
    return self._verify(words, [statement, evaluation, field_root])


@internal
@view
def _verify(proof: uint256[8], inputs: uint256[{inputs}]) -> bool:
    for given: uint256 in inputs:
        if given >= R:
            return False
    x: uint256 = K0X
    y: uint256 = K0Y
    px: uint256 = 0
    py: uint256 = 0
    ok: bool = False
{accumulate}
    result: Bytes[32] = b""
    ok, result = raw_call(
        {pairing},
        abi_encode(
            proof[0], proof[1], proof[2], proof[3], proof[4], proof[5],
            {alpha},
            {neg_beta},
            x, y,
            {neg_gamma},
            proof[6], proof[7],
            {neg_delta},
        ),
        max_outsize=32,
        gas=PAIRING_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return ok and len(result) == 32 and convert(result, uint256) == 1
'''
