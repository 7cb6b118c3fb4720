"""The API's answers as types, from which its OpenAPI document is made: what a client may rely on.

The views build plain dicts; `tests/explorer/test_openapi.py` holds every answer of a real server to
these shapes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import BodyKwarg, HeaderParameter, PathParameter, QueryParameter

from opendepin.explorer.config import CURSOR_MAX_CHARS, PAGE_MAX

PROBLEM_TYPE = "application/problem+json"
GEOJSON_TYPE = "application/geo+json"

HASH_PATTERN = "^0x[0-9a-f]{64}$"
ADDRESS_PATTERN = "^0x[0-9a-f]{40}$"
NUMBER_PATTERN = "^[0-9]{1,18}$"
REGION_MAX_CHARS = 16

Hash: TypeAlias = Annotated[str, BodyKwarg(pattern=HASH_PATTERN)]
Address: TypeAlias = Annotated[str, BodyKwarg(pattern=ADDRESS_PATTERN)]
Hex: TypeAlias = Annotated[str, BodyKwarg(pattern="^0x([0-9a-f]{2})*$")]
Status: TypeAlias = Literal["active", "suspended", "revoked"]


class Problem(TypedDict):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class MomentShape(TypedDict):
    """An L1 block and its time in Unix seconds."""

    block: int | None
    time: int | None


class FigureShape(TypedDict):
    """A value with its unit, when it held, its source, and where it can be checked."""

    value: float | str | None
    unit: str
    as_of: MomentShape
    source: str
    proof_url: str | None


class HeadShape(TypedDict):
    """The newest L1 block indexed."""

    block: int
    hash: Hash
    time: int


class NetworkShape(TypedDict):
    """The trust anchor."""

    name: str
    network_id: Hash
    chain_id: int
    genesis_hash: Hash
    contracts: dict[str, Address]
    code_hashes: dict[str, Hash]
    sequencer: Address
    attesters: list[Address]
    threshold: int
    gateways: list[Address]
    data_chunks: int
    layout: dict[str, Any]
    labels: list[str]
    notice: str


class StatsShape(TypedDict):
    """Counts, sums and latencies."""

    head: MomentShape
    observed_s: int | None
    devices: FigureShape
    active: FigureShape
    reporting: FigureShape
    admitted: FigureShape
    batched: FigureShape
    batches: FigureShape
    tasks: FigureShape
    assigned: FigureShape
    settled: FigureShape
    proven: FigureShape
    payouts: FigureShape
    paid: FigureShape
    burned: FigureShape
    settle_p50: FigureShape
    settle_p95: FigureShape


class PipelineStage(TypedDict):
    """One stage of a message's way."""

    stage: str
    title: str
    means: str
    count: FigureShape
    unit: str
    source: str


class LatencyShape(TypedDict):
    """Signature to settling block."""

    p50: FigureShape
    p95: FigureShape


class PipelineShape(TypedDict):
    """All stages."""

    items: list[PipelineStage]
    latency: LatencyShape


class ProjectShape(TypedDict):
    """A project."""

    project: int
    name: str
    title: str
    owner: Address
    registered_block: int
    measured: str | None
    measured_unit: str | None
    limit: str | None
    attribution: str
    devices: FigureShape


class ProjectsShape(TypedDict):
    """All projects."""

    items: list[ProjectShape]
    next_cursor: None


class FieldShape(TypedDict):
    """A field of a project's messages; bounds as exact decimals."""

    name: str
    kind: str
    minimum: str
    maximum: str
    unit: str


class ProjectOutput(TypedDict):
    """A figure that a project's program proves, and how many outputs it has."""

    figure: str
    per: Literal["segment", "group", "device"]
    outputs: int
    unit: str


class ProjectDetail(TypedDict):
    """A project: what its devices report, what is proven, what it came to."""

    project: int
    name: str
    title: str
    text: str
    owner: Address
    registered_block: int
    devices: FigureShape
    tasks: FigureShape
    settled: FigureShape
    proven: FigureShape
    paid: FigureShape
    unit_rate: FigureShape | None
    fields: list[FieldShape]
    outputs: list[ProjectOutput]


class PlaceShape(TypedDict):
    """Where a device stands."""

    longitude: float
    latitude: float
    region: str
    region_name: str


class DeviceShape(TypedDict):
    """A device with its last reading."""

    device: Address
    project: int
    index: int
    name: str
    status: Status
    owner: Address | None
    registered_block: int | None
    key_since_block: int
    place: PlaceShape | None
    reporting: bool
    reading: FigureShape | None
    exceeds: bool
    observed_s: int | None
    last_message: Hash | None
    messages: FigureShape


class KeyChangeShape(TypedDict):
    """One change of a device's key or status."""

    status: Status
    from_block: int
    public: Hex
    history: Hash
    transaction: Hash


class PayoutShape(TypedDict):
    """One payment to a device's owner."""

    task: Hash
    device: Address
    index: int
    owner: Address
    block: int
    time: int | None
    amount: FigureShape


class DeviceDetail(DeviceShape):
    """A device with key history and pay."""

    history: list[KeyChangeShape]
    payouts: list[PayoutShape]


class DevicePage(TypedDict):
    """A page of devices."""

    items: list[DeviceShape]
    next_cursor: str | None


class MessageShape(TypedDict):
    """A message and how far it has come."""

    message_id: Hash
    device: Address
    project: int
    seq: int
    signed_ms: int
    observed_s: int
    reading: FigureShape | None
    exceeds: bool
    gateway: Address
    position: int
    stage: Literal["admitted", "batched", "assigned", "settled"]
    batch: int | None
    segment: int | None
    task: Hash | None
    settled_block: int | None
    trail: str


class MessageDetail(MessageShape):
    """A message with its signed bytes."""

    raw: Hex


class MessagePage(TypedDict):
    """A page of messages."""

    items: list[MessageShape]
    next_cursor: str | None


class StageShape(TypedDict):
    """One station on a message's way."""

    name: str
    title: str
    text: str
    done: bool
    time: int | None
    digest: str
    href: str


class MessageTrail(TypedDict):
    """Stages, and the bundle from which the trail is recomputed (`docs/spec/bundle.md`)."""

    stages: list[StageShape]
    bundle: dict[str, Any]


class TaskTrail(TypedDict):
    """The bundle from which a task's result is recomputed."""

    bundle: dict[str, Any]


class BatchShape(TypedDict):
    """A batch."""

    number: int
    header_hash: Hash
    data_root: Hash
    inbox_block: int
    inbox_time: int | None
    transaction: Hash
    sealed_s: int
    messages: FigureShape | None
    size: FigureShape | None
    segments: FigureShape


class SegmentShape(TypedDict):
    """One segment of a batch."""

    segment: int
    project: int
    root: Hash
    field_root: str
    readings: int
    hash: Hash
    ranges: list[Any]


class BatchDetail(BatchShape):
    """A batch with its segments."""

    segment_list: list[SegmentShape]


class BatchPage(TypedDict):
    """A page of batches."""

    items: list[BatchShape]
    next_cursor: str | None


class TaskShape(TypedDict):
    """A task."""

    task: Hash
    state: Literal["open", "assigned", "settled", "recalled"]
    project: int
    batch: int
    segment: int
    program: Hash
    readings: FigureShape
    opened_block: int
    assigned_block: int | None
    operator: Address | None
    attempt: int | None
    deadline_s: int | None
    settled_block: int | None
    settled_time: int | None
    producer: Address | None
    outputs_hash: Hash | None
    pay_root: Hash | None
    transaction: Hash | None
    gas: FigureShape | None
    callback_ok: bool | None
    callback_reason: str | None
    paid: dict[str, FigureShape] | None
    trail: str | None


class TaskDetail(TaskShape):
    """A task with its outputs in words and what its devices were paid."""

    outputs: list[dict[str, Any]]
    payouts: list[PayoutShape]
    proof: Hex | None


class TaskPage(TypedDict):
    """A page of tasks."""

    items: list[TaskShape]
    next_cursor: str | None


class RegionShape(TypedDict):
    """What the settled results say of one region."""

    region: str
    name: str
    stations: int
    readings: FigureShape
    exceedances: FigureShape
    mean: FigureShape
    minimum: FigureShape
    maximum: FigureShape


class CoverEvent(TypedDict):
    """What a project's contract said."""

    event: str
    block: int
    transaction: Hash
    fields: dict[str, Any]


class RegionsShape(TypedDict):
    """The regions of a project."""

    project: int
    items: list[RegionShape]
    events: list[CoverEvent]


class MapShape(TypedDict):
    """GeoJSON (RFC 7946)."""

    type: Literal["FeatureCollection"]
    features: list[dict[str, Any]]


def _text(**more: Any) -> dict[str, Any]:
    """Return a parameter's schema: text, without the null that the library adds."""
    return {"one_of": None, "type": OpenAPIType.STRING, **more}


Cursor: TypeAlias = Annotated[
    str | None, QueryParameter(schema_extra=_text(min_length=1, max_length=CURSOR_MAX_CHARS))
]
Limit: TypeAlias = Annotated[
    str | None,
    QueryParameter(
        schema_extra={
            "one_of": None,
            "type": OpenAPIType.INTEGER,
            "minimum": 1,
            "maximum": PAGE_MAX,
        }
    ),
]
ProjectNumber: TypeAlias = Annotated[
    str | None, QueryParameter(schema_extra=_text(pattern=NUMBER_PATTERN))
]
StatusWord: TypeAlias = Annotated[
    str | None, QueryParameter(schema_extra=_text(enum=["active", "suspended", "revoked"]))
]
RegionCode: TypeAlias = Annotated[
    str | None, QueryParameter(schema_extra=_text(max_length=REGION_MAX_CHARS))
]
TASK_STATES = ("open", "assigned", "settled", "recalled")
StateWord: TypeAlias = Annotated[
    str | None, QueryParameter(name="state", schema_extra=_text(enum=list(TASK_STATES)))
]
"""A task's state; the framework keeps the bare name `state` for itself."""
LastEventId: TypeAlias = Annotated[str | None, HeaderParameter(name="Last-Event-ID")]
DeviceId: TypeAlias = Annotated[str, PathParameter(schema_extra={"pattern": ADDRESS_PATTERN})]
HashId: TypeAlias = Annotated[str, PathParameter(schema_extra={"pattern": HASH_PATTERN})]
ProjectId: TypeAlias = Annotated[str, PathParameter(schema_extra={"pattern": NUMBER_PATTERN})]
BatchNumber: TypeAlias = Annotated[str, PathParameter(schema_extra={"pattern": NUMBER_PATTERN})]

TEXTS = {
    400: "A parameter or an identifier has another form.",
    404: "Nothing of that name is known here.",
    429: "Too many listen already.",
}


def answers(shape: Any, *refusals: int, media_type: str = "application/json") -> Any:
    """Return the documented answers of a handler: what it gives, and how it refuses."""
    return {
        200: ResponseSpec(shape, generate_examples=False, description="", media_type=media_type),
        **{
            status: ResponseSpec(
                Problem,
                generate_examples=False,
                description=TEXTS[status],
                media_type=PROBLEM_TYPE,
            )
            for status in refusals
        },
    }
