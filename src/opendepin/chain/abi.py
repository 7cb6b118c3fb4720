"""Contract ABIs as typed values: calldata out, results and events in, reasons of reverts decoded.

A room writes a frozen dataclass per struct and event it uses; `Interface` checks the names against
the ABI when they are bound, so a contract that changed is found at start and not in the middle of a
task. Addresses are 20 bytes everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from eth_abi.abi import decode as _abi_decode
from eth_abi.exceptions import DecodingError, EncodingError

from opendepin.chain.errors import BindingRejected, NodeFault
from opendepin.core.encodings import abi_encode, keccak256

T = TypeVar("T")
Json = Mapping[str, Any]

ERROR_STRING = keccak256(b"Error(string)")[:4]
PANIC = keccak256(b"Panic(uint256)")[:4]
NO_REASON = "no reason given"
MAX_REASON = 200
"""Most characters of a decoded reason."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """A view call, ready to send, that knows how to read its answer."""

    address: bytes
    data: bytes
    name: str
    decode: Callable[[bytes], T]
    sender: bytes | None = None


@dataclass(frozen=True)
class Event(Generic[T]):
    """An event of one contract's ABI, read into the class `into`."""

    topic: bytes
    name: str
    into: type[T]
    _inputs: tuple[Json, ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> T:
        """Read a log's topics and data.

        Raises:
            NodeFault: it is no log of this event.
        """
        return cast(T, _build_class(self.into, self.fields(topics, data)))

    def fields(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Return a log's fields by name; see `decode`."""
        if not topics or topics[0] != self.topic:
            raise NodeFault(f"not a log of {self.name}")
        indexed = [row for row in self._inputs if row["indexed"]]
        rest = [row for row in self._inputs if not row["indexed"]]
        if len(topics) != len(indexed) + 1:
            raise NodeFault(f"a log of {self.name} has {len(indexed)} indexed fields")
        found = {
            row["name"]: _decode([row], topic)[0]
            for row, topic in zip(indexed, topics[1:], strict=True)
        }
        found |= {row["name"]: value for row, value in zip(rest, _decode(rest, data), strict=True)}
        return found


class _Fields:
    """Stands for the class of an event that is read by name only."""


class Interface:
    """A contract's ABI."""

    def __init__(self, name: str, abi: Sequence[Json]) -> None:
        self.name = name
        self.abi = tuple(abi)
        self._functions: dict[tuple[str, int], Json] = {}
        self._events: dict[str, Json] = {}
        self.constructor: Json = {"inputs": []}
        for entry in abi:
            if entry["type"] == "function":
                self._functions[entry["name"], len(entry["inputs"])] = entry
            elif entry["type"] == "event":
                self._events[entry["name"]] = entry
            elif entry["type"] == "constructor":
                self.constructor = entry

    def data(self, function: str, *arguments: object) -> bytes:
        """Return the calldata of a function; dataclasses stand for structs, bytes for addresses.

        Raises:
            BindingRejected: no such function, or arguments that do not fit it.
        """
        entry = self._function(function, len(arguments))
        return selector(entry) + self._encode(function, entry["inputs"], arguments)

    def arguments(self, function: str, data: bytes) -> list[Any] | None:
        """Return the arguments in a function's calldata; None when it is not a call of it."""
        for (name, _), entry in self._functions.items():
            if name == function and data[:4] == selector(entry):
                try:
                    return _decode(entry["inputs"], data[4:])
                except NodeFault:
                    return None
        return None

    def constructor_data(self, *arguments: object) -> bytes:
        """Return the encoded constructor arguments; see `data`."""
        inputs = self.constructor["inputs"]
        if len(inputs) != len(arguments):
            raise BindingRejected(
                f"{self.name} is made with {len(inputs)} arguments, not {len(arguments)}"
            )
        return self._encode("__init__", inputs, arguments)

    def reader(self, function: str, arguments: int, returns: type[T]) -> Callable[[bytes], T]:
        """Return what reads the answer of a function into `returns`.

        Raises:
            BindingRejected: `returns` does not fit the ABI's outputs.
        """
        outputs = self._function(function, arguments)["outputs"]
        where = f"{self.name}.{function}"
        if len(outputs) == 1:
            _check_fit(where, outputs[0], returns)
        elif dataclasses.is_dataclass(returns):
            _check_names(where, outputs, returns)

        def read(data: bytes) -> T:
            values = _decode(outputs, data)
            if len(outputs) == 1:
                return cast(T, _build(returns, values[0]))
            if dataclasses.is_dataclass(returns):
                named = {row["name"]: value for row, value in zip(outputs, values, strict=True)}
                return cast(T, _build_class(returns, named))
            return cast(T, tuple(values) if values else None)

        return read

    def event(self, into: type[T], name: str | None = None) -> Event[T]:
        """Bind a dataclass to the event of its name (or `name`).

        Raises:
            BindingRejected: no such event, or other fields.
        """
        known = name or into.__name__
        entry = self._events.get(known)
        if entry is None:
            raise BindingRejected(f"{self.name} has no event {known}")
        _check_names(f"{self.name}.{known}", entry["inputs"], into)
        return Event(keccak256(signature(entry).encode()), known, into, tuple(entry["inputs"]))

    def read_log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the named fields of any event of this ABI; None for another's log.

        Raises:
            NodeFault: the log does not fit its event.
        """
        for name, entry in self._events.items():
            if topics and topics[0] == keccak256(signature(entry).encode()):
                found = Event(topics[0], name, _Fields, tuple(entry["inputs"]))
                return name, found.fields(topics, data)
        return None

    def at(self, address: bytes) -> Contract:
        """Return the contract of this interface at an address."""
        return Contract(address, self)

    def _function(self, name: str, arguments: int) -> Json:
        entry = self._functions.get((name, arguments))
        if entry is None:
            raise BindingRejected(f"{self.name} has no function {name} of {arguments} arguments")
        return entry

    def _encode(self, function: str, inputs: Sequence[Json], arguments: Sequence[object]) -> bytes:
        try:
            plain = [_plain(row, value) for row, value in zip(inputs, arguments, strict=True)]
            return abi_encode([type_of(row) for row in inputs], plain)
        except (EncodingError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BindingRejected(
                f"arguments do not fit {self.name}.{function}: {error}"
            ) from error


@dataclass(frozen=True)
class Contract:
    """A contract at its address."""

    address: bytes
    interface: Interface

    def data(self, function: str, *arguments: object) -> bytes:
        """Return calldata; see `Interface.data`."""
        return self.interface.data(function, *arguments)

    def call(
        self, function: str, *arguments: object, returns: type[T], sender: bytes | None = None
    ) -> Call[T]:
        """Return a view call whose answer is read into `returns`."""
        read = self.interface.reader(function, len(arguments), returns)
        name = f"{self.interface.name}.{function}"
        return Call(self.address, self.data(function, *arguments), name, read, sender)

    def event(self, into: type[T], name: str | None = None) -> Event[T]:
        """Bind an event; see `Interface.event`."""
        return self.interface.event(into, name)


def reason_of(data: bytes) -> str:
    """Return the reason in a revert's data: the contract's word, or what kind of failure it was."""
    if data[:4] == ERROR_STRING:
        try:
            return str(_abi_decode(["string"], data[4:])[0])[:MAX_REASON]
        except (DecodingError, UnicodeDecodeError, OverflowError):
            return "unreadable reason"
    if data[:4] == PANIC and len(data) == 36:
        return f"panic 0x{int.from_bytes(data[4:], 'big'):02x}"
    return NO_REASON if not data else f"0x{data[:32].hex()}"


def signature(entry: Json) -> str:
    """Return the canonical signature, e.g. `put(uint256,(address,uint64)[])`."""
    return f"{entry['name']}({','.join(type_of(row) for row in entry['inputs'])})"


def selector(entry: Json) -> bytes:
    """Return a function's four bytes."""
    return keccak256(signature(entry).encode())[:4]


def type_of(row: Json) -> str:
    """Return a parameter's canonical type, tuples spelled out."""
    kind: str = row["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(type_of(part) for part in row['components'])}){kind[5:]}"


def _decode(rows: Sequence[Json], data: bytes) -> list[Any]:
    try:
        values = _abi_decode([type_of(row) for row in rows], data)
    except (DecodingError, UnicodeDecodeError, OverflowError) as error:
        raise NodeFault(f"the node's answer does not fit the ABI: {error}") from error
    return [_named(row["type"], row, value) for row, value in zip(rows, values, strict=True)]


def _named(kind: str, row: Json, value: Any) -> Any:
    """Give decoded values their names and our forms: structs as dicts, addresses as bytes,
    arrays as lists.
    """
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return [_named(inner, row, item) for item in value]
    if kind == "tuple":
        return {
            part["name"]: _named(part["type"], part, item)
            for part, item in zip(row["components"], value, strict=True)
        }
    if kind == "address":
        return bytes.fromhex(value[2:])
    return value


def _plain(row: Json, value: Any, form: str = "") -> Any:
    """Turn our values into what the encoder takes: dataclasses and dicts into tuples."""
    kind: str = form or row["type"]
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return [_plain(row, item, inner) for item in value]
    if kind == "tuple":
        parts = row["components"]
        if dataclasses.is_dataclass(value):
            items = [getattr(value, part["name"]) for part in parts]
        elif isinstance(value, Mapping):
            items = [cast(Mapping[str, Any], value)[part["name"]] for part in parts]
        else:
            items = list(value)
        return tuple(_plain(part, item) for part, item in zip(parts, items, strict=True))
    return int(value) if isinstance(value, IntEnum) else value


def _build(into: Any, value: Any) -> Any:
    """Build `into` from a named value."""
    origin = get_origin(into)
    if origin in (list, tuple, Sequence):
        arguments = get_args(into)
        items = [_build(arguments[0], item) for item in value]
        return tuple(items) if origin is tuple else items
    if dataclasses.is_dataclass(into):
        return _build_class(cast("type[Any]", into), value)
    if isinstance(into, type) and issubclass(into, IntEnum):
        return into(value)
    return value


def _build_class(into: type[Any], found: Mapping[str, Any]) -> Any:
    hints = get_type_hints(into)
    return into(**{name: _build(hints[name], value) for name, value in found.items()})


def _check_fit(where: str, row: Json, into: Any) -> None:
    """Check that a Python type can hold an ABI type; names of structs all the way down."""
    kind: str = row["type"]
    origin = get_origin(into)
    if kind.endswith("]"):
        if origin not in (list, tuple, Sequence):
            raise BindingRejected(f"{where} is an array; read it into a list or tuple")
        _check_fit(where, {**row, "type": kind[: kind.rindex("[")]}, get_args(into)[0])
    elif kind == "tuple":
        _check_names(where, row["components"], into)
    elif origin in (Union, UnionType) or into not in _python_types(kind):
        enum = (
            isinstance(into, type)
            and issubclass(into, IntEnum)
            and kind.startswith(("uint", "int"))
        )
        if not enum:
            raise BindingRejected(f"{where} is {kind}, which does not fit {into}")


def _python_types(kind: str) -> tuple[type, ...]:
    if kind.startswith(("uint", "int")):
        return (int,)
    if kind.startswith("bytes") or kind == "address":
        return (bytes,)
    return {"bool": (bool,), "string": (str,)}.get(kind, ())


def _check_names(where: str, rows: Sequence[Json], into: Any) -> None:
    if not dataclasses.is_dataclass(into):
        raise BindingRejected(f"{where} has named fields; read it into a dataclass")
    due, have = [row["name"] for row in rows], [field.name for field in dataclasses.fields(into)]
    if sorted(due) != sorted(have):
        raise BindingRejected(f"{where} has the fields {due}, {into} has {have}")
    hints = get_type_hints(into)
    for row in rows:
        _check_fit(f"{where}.{row['name']}", row, hints[row["name"]])
