"""Publishes with confirmations, many messages in one write.

What is handed over while a write is prepared goes out with it, whoever hands it over:
a hundred tasks that publish one event each cost little more than one with a hundred.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aiormq.connection import Connection
from pamqp.commands import Basic

from shared.messaging._errors import BrokerUnavailableException
from shared.messaging._rabbit_channel import FastChannel, open_channel
from shared.messaging._rabbit_connection import is_ready
from shared.messaging._rabbit_frames import Packet

# In one write; the broker begins with it while the next is prepared.
_WRITE_MESSAGES: Final = 100
_WRITE_BYTES: Final = 256 * 1024
# On their way, without a confirmation.
_WINDOW_MESSAGES: Final = 2000
_WINDOW_BYTES: Final = 16 * 1024 * 1024
# Whose confirmation never came: then the channel is broken, whatever it says.
_MOST_FORGOTTEN: Final = 50_000


class NoQueueError(Exception):
    """The broker gave a message back: there is no queue for it."""


class RefusedError(Exception):
    """The broker said that it could not take a message (basic.nack)."""


class _Batch:
    """Messages that one caller waits for."""

    __slots__ = ("done", "open", "packets", "refused", "results", "sent", "timer")

    def __init__(self, packets: Sequence[Packet]) -> None:
        self.packets = packets
        self.results: list[Exception | None] = [None] * len(packets)
        self.sent = 0
        self.open = len(packets)
        self.refused = False
        self.timer: asyncio.TimerHandle | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        return self.done.done()

    async def wait(self) -> list[Exception | None]:
        await self.done
        return self.results

    def resolve(
        self, index: int, error: Exception | None, *, stop: bool = True
    ) -> None:
        """Note what became of one message. Nobody asks any more when it is over."""
        if self.over:
            return
        self.results[index] = error
        self.refused = self.refused or (stop and error is not None)
        self.open -= 1
        if not self.open:
            self.done.set_result(None)

    def fail(self, open_: Sequence[int], detail: str, cause: Exception | None) -> None:
        """Let these messages, and those that were not sent, have failed."""
        for index in (*open_, *range(self.sent, len(self.packets))):
            self.results[index] = unavailable(detail, cause)
        self.open = 0
        if not self.over:
            self.done.set_result(None)


class Publisher:
    """Messages to the broker, in order, as long as there is a connection.

    Args:
        timeout: Seconds that a caller waits while nothing of his is confirmed.
        why_not: Why there is no connection, where there is none.
    """

    def __init__(
        self, *, timeout: float, why_not: Callable[[], Exception | None]
    ) -> None:
        self._timeout = timeout
        self._why_not = why_not
        self._connection: Connection | None = None
        self._channel: FastChannel | None = None
        self._waiting: deque[_Batch] = deque()
        self._tag = 0
        # By the number that the broker confirms it with, in the order of sending.
        self._sent: OrderedDict[int, tuple[_Batch, int]] = OrderedDict()
        self._returned: dict[int, Exception] = {}
        self._sent_bytes = 0
        self._forgotten = 0
        self._scheduled = False
        self._unblocking: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether there is a channel to publish on."""
        return self._channel is not None and not self._channel.ended.done()

    @property
    def blocked(self) -> bool:
        """Whether the broker takes no messages for now."""
        return self._connection is not None and not is_ready(self._connection)

    async def attach(self, connection: Connection) -> asyncio.Future[Exception]:
        """Publish on *connection* from now on; what is returned tells when no more."""
        channel = await open_channel(
            connection,
            confirms=True,
            on_content=self._on_return,
            on_confirm=self._on_confirm,
        )
        self._connection, self._channel = connection, channel
        self._tag = 0
        channel.ended.add_done_callback(self._on_ended)
        self._schedule()
        return channel.ended

    async def publish(self, packets: Sequence[Packet]) -> list[Exception | None]:
        """Hand over *packets*; for each None, or why the broker does not have it.

        After the first that it does not take no more of them are sent. Some that are
        on their way already may arrive.
        """
        if not packets:
            return []
        batch = _Batch(packets)
        self._waiting.append(batch)
        self._schedule()
        self._watch(batch, batch.open)
        try:
            return await batch.wait()
        finally:
            # Also where the caller is cancelled: what is sent is sent, and confirmed.
            if batch.timer is not None:
                batch.timer.cancel()
            if batch.open:
                self._forgotten += batch.sent - (len(packets) - batch.open)
            if batch.sent < len(packets):
                with suppress(ValueError):
                    self._waiting.remove(batch)

    async def finish(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until all that was handed over is confirmed."""
        batches = {batch for batch, _ in self._sent.values()}.union(self._waiting)
        waiting = [batch.done for batch in batches if not batch.over]
        if waiting and self.open:
            await asyncio.wait(waiting, timeout=timeout)

    def close(self) -> None:
        """Let all who wait have failed."""
        error = ConnectionError("The bus was stopped.")
        if self._unblocking is not None:
            self._unblocking.cancel()
        if self._channel is not None:
            self._channel.end(error)
            self._on_ended(self._channel.ended)
        for batch in self._waiting:
            if not batch.over:
                batch.fail((), "The event bus was stopped.", error)
        self._waiting.clear()

    def _watch(self, batch: _Batch, left: int) -> None:
        loop = asyncio.get_running_loop()
        batch.timer = loop.call_later(self._timeout, self._expire, batch, left)

    def _expire(self, batch: _Batch, left: int) -> None:
        if batch.over:
            return
        if batch.open < left:  # many messages may take their time
            self._watch(batch, batch.open)
            return
        detail = f"The broker did not confirm within {self._timeout:g} seconds."
        cause: Exception | None = None
        if not self.open:
            detail = f"There was no broker within {self._timeout:g} seconds."
            cause = self._why_not()
        elif self.blocked:
            detail = "The broker takes no messages for now: it is full."
        open_ = [i for other, i in self._sent.values() if other is batch]
        batch.fail(open_, detail, cause)
        self._forgotten += len(open_)
        if self._forgotten > _MOST_FORGOTTEN and self._channel is not None:
            self._channel.end(ConnectionError("Too many confirmations are missing."))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._channel is not None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what waits, as far as the window goes."""
        self._scheduled = False
        channel, connection = self._channel, self._connection
        if channel is None or connection is None or not self._waiting:
            return
        if not is_ready(connection):
            self._wait_until_unblocked(connection)
            return
        parts: list[bytes] = []
        count = size = 0
        while self._waiting and self._room():
            batch = self._waiting[0]
            if batch.over or batch.refused:
                self._waiting.popleft()
                self._give_up(batch)
                continue
            index = batch.sent
            packet = batch.packets[index]
            batch.sent += 1
            if batch.sent == len(batch.packets):
                self._waiting.popleft()
            if not packet.fits(channel.frame_max):
                # It would end the connection, and all that is on its way.
                batch.resolve(index, _too_large(packet, channel.frame_max), stop=False)
                continue
            self._tag += 1
            self._sent[self._tag] = (batch, index)
            self._sent_bytes += packet.size
            parts += packet.frames(channel.number, channel.frame_max)
            count += 1
            size += packet.size
            if count == _WRITE_MESSAGES or size >= _WRITE_BYTES:
                channel.send(b"".join(parts))
                parts = []
                count = size = 0
        if parts:
            channel.send(b"".join(parts))

    def _room(self) -> bool:
        live = len(self._sent) - self._forgotten
        return live <= 0 or (
            live < _WINDOW_MESSAGES and self._sent_bytes < _WINDOW_BYTES
        )

    def _give_up(self, batch: _Batch) -> None:
        """Send no more of a batch of which the broker refused a message."""
        if batch.over:
            return
        detail = "An earlier message of the batch was refused."
        for index in range(batch.sent, len(batch.packets)):
            batch.resolve(index, unavailable(detail, None))

    def _wait_until_unblocked(self, connection: Connection) -> None:
        async def wait() -> None:
            await connection.ready()
            self._schedule()

        if self._unblocking is None or self._unblocking.done():
            self._unblocking = asyncio.get_running_loop().create_task(wait())

    def _on_confirm(self, frame: Basic.Ack | Basic.Nack) -> None:
        tag = frame.delivery_tag or 0
        taken = isinstance(frame, Basic.Ack)
        if not frame.multiple:
            self._confirmed(tag, taken=taken)
        else:
            while self._sent and next(iter(self._sent)) <= tag:
                self._confirmed(next(iter(self._sent)), taken=taken)
        if self._waiting:
            self._schedule()

    def _confirmed(self, tag: int, *, taken: bool) -> None:
        found = self._sent.pop(tag, None)
        if found is None:
            return
        batch, index = found
        packet = batch.packets[index]
        self._sent_bytes -= packet.size
        if batch.over:
            self._forgotten -= 1
            self._returned.pop(tag, None)
            return
        error: Exception | None = None
        cause = self._returned.pop(tag, None) if self._returned else None
        if cause is None and not taken:
            cause = RefusedError("basic.nack")
        if cause is not None:
            error = unavailable("The broker did not take the message.", cause)
        batch.resolve(index, error)

    def _on_return(
        self,
        frame: Basic.Deliver | Basic.Return,
        properties: Basic.Properties,
        body: bytes,
    ) -> None:
        """Note that a message came back; its confirmation follows.

        It says which it is by nothing but what it is. Of two that are the same in all
        that decides about their way, it does not matter which.
        """
        if not isinstance(frame, Basic.Return):
            return
        exchange, key = frame.exchange or "", frame.routing_key or ""
        way = (exchange, key, properties.message_id or "")
        for tag, (batch, index) in self._sent.items():
            packet = batch.packets[index]
            own = (packet.exchange, packet.routing_key, packet.message_id)
            if own == way and tag not in self._returned:
                self._returned[tag] = NoQueueError(
                    f"{frame.reply_text}: {packet.exchange!r}, {packet.routing_key!r}"
                )
                return

    def _on_ended(self, ended: asyncio.Future[Exception]) -> None:
        """Let what is on its way have failed, with the rest of its batches."""
        if self._channel is None or self._channel.ended is not ended:
            return
        cause = ended.result()
        self._channel = self._connection = None
        if self._unblocking is not None:  # it waits for this connection
            self._unblocking.cancel()
            self._unblocking = None
        batches: dict[int, tuple[_Batch, list[int]]] = {}
        for batch, index in self._sent.values():
            batches.setdefault(id(batch), (batch, []))[1].append(index)
        self._sent.clear()
        self._returned.clear()
        self._sent_bytes = self._forgotten = 0
        detail = "The broker went away before it confirmed."
        for batch, indices in batches.values():
            batch.fail(indices, detail, cause)


def unavailable(detail: str, cause: Exception | None) -> BrokerUnavailableException:
    """The error of one message, with its cause for the log."""
    error = BrokerUnavailableException(detail)
    error.__cause__ = cause
    return error


def _too_large(packet: Packet, frame_max: int) -> ValueError:
    return ValueError(
        f"The headers and properties of a message must have at most {frame_max} bytes "
        f"together (got {len(packet.header)})."
    )
