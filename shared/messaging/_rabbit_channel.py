"""A channel of aiormq whose messages and confirmations take a short way.

aiormq puts each frame into a queue of its channel, whose reader makes a task for each
message and a future for each confirmation. Here they are handled as they are read, and
everything rare (opening, declaring, closing) goes the way that it always goes.

Private: used by ``shared.messaging`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiormq.abc import AbstractChannel, AbstractConnection, ChannelFrame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from shared.messaging._rabbit_connection import replies

OnContent = Callable[[Basic.Deliver | Basic.Return, Basic.Properties, bytes], None]
OnConfirm = Callable[[Basic.Ack | Basic.Nack], None]
OnCancel = Callable[[], None]

_CLOSE_SECONDS: Final = 5.0


class FastChannel:
    """Frames in and out, without a task or a future for each.

    Make it with `open_channel`. What the callbacks raise would end the connection.
    """

    def __init__(self, channel: AbstractChannel) -> None:
        self.rpc = channel
        self.number: Final = channel.number
        self.frame_max: Final = channel.connection.connection_tune.frame_max
        self.ended: asyncio.Future[Exception]
        """Why it is of no use any more."""
        self.ended = asyncio.get_running_loop().create_future()
        self._queue: asyncio.Queue[ChannelFrame] = channel.connection.write_queue
        self._backlog: list[bytes] = []
        self._pump: asyncio.Task[None] | None = None
        closing: asyncio.Future[Any] = channel.closing
        closing.add_done_callback(self._on_closed)

    def end(self, cause: Exception) -> None:
        """Say that it is of no use any more. The first cause counts."""
        if not self.ended.done():
            self.ended.set_result(cause)
            if self._pump is not None:
                self._pump.cancel()

    def send(self, payload: bytes) -> None:
        """Write frames, after those that were sent before."""
        if not self._backlog and not self._queue.full():
            self._queue.put_nowait(ChannelFrame(payload=payload, should_close=False))
            return
        self._backlog.append(payload)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._drain())

    async def close(self) -> None:
        """Close it, after all that was sent is written, and wait for that."""
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if self._pump is not None and not self.ended.done():
                    await asyncio.wait([self._pump])
                with replies():
                    await self.rpc.close()
        self.end(ConnectionError("The channel was closed."))

    async def _drain(self) -> None:
        while self._backlog:
            count = len(self._backlog)
            payload = b"".join(self._backlog)
            await self._queue.put(ChannelFrame(payload=payload, should_close=False))
            # Only now: while it is there nothing else passes it.
            del self._backlog[:count]

    def _on_closed(self, closing: asyncio.Future[Any]) -> None:
        error: BaseException | None = None
        if not closing.cancelled():
            error = closing.exception()
        if not isinstance(error, Exception):
            error = ConnectionError("The channel was closed.")
        self.end(error)


async def open_channel(
    connection: AbstractConnection,
    *,
    confirms: bool,
    on_content: OnContent,
    on_confirm: OnConfirm | None = None,
) -> FastChannel:
    """Open a channel.

    Args:
        connection: Of aiormq.
        confirms: Whether the broker confirms what is published.
        on_content: Told of each message that is delivered or comes back.
        on_confirm: Told of each confirmation.
    """
    channel = await connection.channel(publisher_confirms=confirms)
    fast = FastChannel(channel)
    channel.frames = _Tap(
        channel.frames,
        on_content,
        on_confirm,
        lambda: fast.end(ConnectionError("The broker cancelled the consumer.")),
    )
    return fast


class _Tap(asyncio.Queue[Any]):
    """Stands where aiormq's connection puts the frames of a channel."""

    def __init__(
        self,
        inner: asyncio.Queue[Any],
        on_content: OnContent,
        on_confirm: OnConfirm | None,
        on_cancel: OnCancel,
    ) -> None:
        super().__init__()
        self._inner = inner
        self._on_content = on_content
        self._on_confirm = on_confirm
        self._on_cancel = on_cancel
        self._method: Basic.Deliver | Basic.Return | None = None
        self._header: ContentHeader | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    async def put(self, item: Any) -> None:
        """Handle a frame, or let the channel do that."""
        frame = item[1]
        kind = type(frame)
        if kind is ContentBody and self._header is not None:
            self._parts.append(frame.value)
            self._missing -= len(frame.value)
            if self._missing <= 0:
                self._finish()
        elif kind is ContentHeader and self._method is not None:
            self._header = frame
            self._missing = frame.body_size
            if not self._missing:
                self._finish()
        elif kind is Basic.Deliver or kind is Basic.Return:
            self._method = frame
        elif self._on_confirm is not None and (kind is Basic.Ack or kind is Basic.Nack):
            self._on_confirm(frame)
        else:
            if kind is Basic.Cancel:
                self._on_cancel()
            await self._inner.put(item)

    async def get(self) -> Any:
        """The next frame for the channel."""
        return await self._inner.get()

    def task_done(self) -> None:
        """As the channel expects it."""
        self._inner.task_done()

    def _finish(self) -> None:
        method, header, parts = self._method, self._header, self._parts
        self._method = self._header = None
        self._parts = []
        if method is None or header is None:
            return
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._on_content(method, header.properties, body)
