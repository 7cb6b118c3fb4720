"""Every limit that two rooms must agree on, named with its unit."""

MAX_MESSAGE_BYTES = 4_096
"""Largest COSE_Sign1 message a gateway reads."""

MAX_CBOR_DEPTH = 4
"""Deepest nesting inside a message payload (map in map counts 2)."""

MAX_FIELDS = 16
"""Most fields in a project's schema."""

MAX_LANES = 256
"""Most values of one reading, device index, time and sequence number included."""

MAX_LANE_BITS = 64
"""Widest value of a reading, in bits above its minimum."""

WORD_BITS = 248
"""Bits of a word: of one field element that holds several values."""

MAX_WORDS_PER_READING = 16
"""Most words of one reading."""

MAX_SEQ = (1 << 53) - 1
"""Largest device sequence number; fits a JSON number exactly."""

MAX_TIME_MS = (1 << 48) - 1
"""Largest `time_ms` of a message (year 10889)."""

MAX_OBSERVED_S = (1 << 40) - 1
"""Largest `observed_s` of a reading."""

MAX_DEVICES_PER_PROJECT = 1 << 20
"""Project-local device indices are below this."""

MAX_MESSAGE_AGE_MS = 7 * 86_400_000
"""Default: a message signed longer ago is refused."""

MAX_MESSAGE_AHEAD_MS = 60_000
"""Default: a message signed further in the future is refused."""

MAX_GROUP_MESSAGES = 256
"""Most messages in one commit group of a gateway (one project)."""

MAX_SEGMENT_MESSAGES = 1_024
"""Most messages in one segment: the largest circuit's capacity."""

MAX_BATCH_MESSAGES = 4_096
"""Most messages in one batch."""

MAX_SEGMENTS_PER_BATCH = 16
"""Most segments in one batch."""

MAX_RANGES_PER_SEGMENT = 8
"""Most `[gateway, first, last]` ranges in one segment."""

MAX_ATTESTERS = 16
"""Most attesters whose signatures a batch may carry."""

MAX_OPERATORS = 64
"""Most active compute operators."""

MAX_OUTPUTS = 256
"""Most outputs of one program."""

MAX_BODY_BYTES = MAX_BATCH_MESSAGES * (MAX_MESSAGE_BYTES + 1_024)
"""Largest batch body: a full batch of largest messages, each in a group of its own."""
