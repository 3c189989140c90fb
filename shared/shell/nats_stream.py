"""The event stream: what a process that was away, or came late, reads again.

Owns: the JetStream stream `{env}-events` that captures events, commands and operators' words as they
pass, bounded in age and size, on file. Nobody waits for its acknowledgements.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from shared.subjects import journaled_patterns

AGE_MAX_S = 24 * 3600.0
BYTES_MAX = 256 * 2**20
TIMEOUT_S = 2.0
BATCH = 500


def stream_name(env: str) -> str:
    """The stream of one world."""
    return f"{env}-events"


async def ensure_stream(client: Client, env: str) -> None:
    """Create the stream unless it is there; raises `nats.errors.Error` when there is no JetStream."""
    jetstream = client.jetstream(timeout=TIMEOUT_S)
    try:
        await jetstream.stream_info(stream_name(env))
    except NotFoundError:
        await jetstream.add_stream(
            StreamConfig(
                name=stream_name(env),
                subjects=list(journaled_patterns(env)),
                storage=StorageType.FILE,
                max_age=AGE_MAX_S,
                max_bytes=BYTES_MAX,
            )
        )


async def last_of(client: Client, env: str, subject: str) -> bytes | None:
    """The last message on a subject; None: there is none. Raises `nats.errors.Error`."""
    jetstream = client.jetstream(timeout=TIMEOUT_S)
    try:
        return (await jetstream.get_last_msg(stream_name(env), subject)).data
    except NotFoundError:
        return None


async def has_forgotten(client: Client, env: str) -> bool:
    """Whether the stream held something that it holds no longer. Raises `nats.errors.Error`."""
    info = await client.jetstream(timeout=TIMEOUT_S).stream_info(stream_name(env))
    return info.state.first_seq > 1


async def read_stream(
    client: Client, env: str, patterns: Sequence[str], since_s: float, count_max: int
) -> list[tuple[str, bytes]]:
    """(subject, payload) of what was said on `patterns` since a time (seconds since the epoch), in order.

    Only the last `count_max` messages of the stream are looked at. All or nothing: raises
    `nats.errors.Error`, also when the broker stops answering on the way.
    """
    if not patterns:
        return []
    jetstream = client.jetstream(timeout=TIMEOUT_S)
    state = (await jetstream.stream_info(stream_name(env))).state
    if state.messages == 0:
        return []
    consumer = await jetstream.add_consumer(
        stream_name(env),
        ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=datetime.fromtimestamp(since_s, UTC),
            ack_policy=AckPolicy.NONE,
            filter_subjects=list(patterns),
            inactive_threshold=10.0,
            mem_storage=True,
        ),
    )
    subscription = await jetstream.pull_subscribe_bind(consumer.name, stream_name(env))
    first = state.last_seq - count_max
    found: list[tuple[str, bytes]] = []
    left = consumer.num_pending or 0
    while left:
        for message in await subscription.fetch(BATCH, timeout=TIMEOUT_S):
            metadata = message.metadata
            left = metadata.num_pending or 0
            if metadata.sequence.stream > first:
                found.append((message.subject, message.data))
    await subscription.unsubscribe()
    return found
