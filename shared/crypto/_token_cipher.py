"""Values encrypted at rest: AES-256-GCM under a key ring, bound to where they stand.

A token is::

    1 byte   version, 1
    1 byte   length of the key id, 1 to 32
    n bytes  key id, ASCII
    12 bytes nonce, random for each token
    rest     ciphertext, and 16 bytes of tag

What GCM authenticates beside the ciphertext is everything before the nonce, followed by
the caller's associated data. The head tells its own length, so no two pairs of head and
associated data run together into the same bytes.

NIST SP 800-38D, section 8.3: with random 96-bit nonces a key may encrypt 2**32 times,
which is 100 a second for 16 months. Rotate long before.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar, final

from cryptography.exceptions import InvalidTag

from shared.crypto._aes_ring import AesKeyRing, ciphers_of
from shared.crypto._errors import DecryptionError, RefusedTokenError
from shared.crypto._ring_text import MAX_ID_LENGTH
from shared.crypto._utf8 import utf8

_K = TypeVar("_K")

VERSION = 1
NONCE_BYTES = 12  # NIST SP 800-38D, section 5.2.1.1: the length that needs no hashing
TAG_BYTES = 16


@final
class TokenCipher:
    """Encrypts and decrypts with a key ring. Threads may share one.

    The associated data says where the value belongs, such as
    ``b"social_connection.access_token:" + row_id``: a token moved to another place does
    not decrypt. It is stored nowhere, so it must be known again to decrypt.
    """

    __slots__ = ("_ciphers", "_current", "_encrypt", "_head")

    def __init__(self, ring: AesKeyRing) -> None:
        self._ciphers = ciphers_of(ring)
        self._current = ring.ids[0]
        self._encrypt = self._ciphers[self._current].encrypt
        self._head = _head(self._current)

    def encrypt(self, plaintext: str | bytes, *, associated_data: bytes) -> bytes:
        """Return *plaintext*, text as UTF-8, as a token under the ring's first key.

        Raises:
            ValueError: It is text that UTF-8 can't hold.
        """
        data = (
            utf8(plaintext, "text to encrypt")
            if isinstance(plaintext, str)
            else plaintext
        )
        nonce = os.urandom(NONCE_BYTES)
        head = self._head
        return head + nonce + self._encrypt(nonce, data, head + associated_data)

    def decrypt(self, token: bytes, *, associated_data: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            DecryptionError: The token is cut, changed or moved, or its key is not in
                the ring.
        """
        try:
            return self._open(token, associated_data)
        except RefusedTokenError as cause:
            raise DecryptionError from cause

    def decrypt_text(self, token: bytes, *, associated_data: bytes) -> str:
        """Return the text that was encrypted.

        Raises:
            DecryptionError: As for :meth:`decrypt`, or it is no UTF-8.
        """
        data = self.decrypt(token, associated_data=associated_data)
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass  # raised below: this error holds the plaintext
        raise DecryptionError from RefusedTokenError("what it holds is no UTF-8")

    def needs_reencryption(self, token: bytes) -> bool:
        """Say whether another key than the ring's first encrypted *token*.

        It reads the head only; True does not promise that the token decrypts.

        Raises:
            DecryptionError: It is no token.
        """
        try:
            return _parse(token).key_id != self._current
        except RefusedTokenError as cause:
            raise DecryptionError from cause

    def reencrypt(
        self,
        token: bytes,
        *,
        associated_data: bytes,
        new_associated_data: bytes | None = None,
    ) -> bytes:
        """Return *token* under the ring's first key; itself if it is already.

        Args:
            token: From any key of the ring.
            associated_data: What it is bound to.
            new_associated_data: What it is to be bound to, as when a column is renamed.

        Raises:
            DecryptionError: As for :meth:`decrypt`.
        """
        if new_associated_data is None:
            new_associated_data = associated_data
        data = self.decrypt(token, associated_data=associated_data)
        if new_associated_data == associated_data and token.startswith(self._head):
            return token
        return self.encrypt(data, associated_data=new_associated_data)

    def _open(self, token: bytes, associated_data: bytes) -> bytes:
        parsed = _parse(token)
        cipher = self._ciphers.get(parsed.key_id)
        if cipher is None:
            raise RefusedTokenError(f"its key {parsed.key_id!r} is not in the ring")
        try:
            return cipher.decrypt(
                parsed.nonce, parsed.sealed, parsed.head + associated_data
            )
        except InvalidTag:
            raise RefusedTokenError(
                "it was changed, moved, or encrypted by another key of that id"
            ) from None


def reencrypt_rows(
    cipher: TokenCipher,
    rows: Iterable[tuple[_K, bytes | None, bytes]],
    *,
    on_error: Callable[[_K, DecryptionError], None] | None = None,
) -> Iterator[tuple[_K, bytes]]:
    """Yield the key and new token of each row that needs one, as they are asked for.

    A second run has nothing to do, so a run that broke off is resumed by repeating it.
    The store must compare the old token when it writes, or a value that somebody saved
    in the meantime is lost.

    Args:
        cipher: Its ring has the new key first, and the old ones.
        rows: The row's key, its token (None is passed over) and its associated data.
        on_error: Is told of each row that can't be decrypted, and the run goes on.
            Without it the first one raises.

    Raises:
        DecryptionError: A row can't be decrypted and there is no *on_error*.
    """
    for key, token, associated_data in rows:
        if token is None:
            continue
        try:
            if not cipher.needs_reencryption(token):
                continue
            new = cipher.reencrypt(token, associated_data=associated_data)
        except DecryptionError as error:
            if on_error is None:
                raise
            on_error(key, error)
            continue
        yield key, new


class _Parsed(NamedTuple):
    head: bytes
    key_id: str
    nonce: bytes
    sealed: bytes


def _head(key_id: str) -> bytes:
    return bytes([VERSION, len(key_id)]) + key_id.encode("ascii")


def _parse(token: bytes) -> _Parsed:
    if not isinstance(token, bytes):
        raise TypeError(f"A token must be bytes (got {type(token).__name__}).")
    if len(token) < 2:
        raise RefusedTokenError("it is too short")
    if token[0] != VERSION:
        raise RefusedTokenError(f"its version is {token[0]}, not {VERSION}")
    end = 2 + token[1]
    if not 1 <= token[1] <= MAX_ID_LENGTH or len(token) < end + NONCE_BYTES + TAG_BYTES:
        raise RefusedTokenError("it is too short, or the length of its key id is wrong")
    try:
        key_id = token[2:end].decode("ascii")
    except UnicodeDecodeError:
        raise RefusedTokenError("its key id is not ASCII") from None
    sealed = end + NONCE_BYTES
    return _Parsed(token[:end], key_id, token[end:sealed], token[sealed:])
