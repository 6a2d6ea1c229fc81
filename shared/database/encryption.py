"""Columns whose values are encrypted in the database.

::

    class Webhook(UUIDKeyMixin, Base):
        __tablename__ = "webhook"

        secret: Mapped[str] = mapped_column(EncryptedString(bound_to_row=True))

    use_encryption_keys(database, AesKeyRing.parse(aes_key))

A ciphertext is bound to its table and column, and with ``bound_to_row`` to the primary
key of its row too: moved to another place, or changed, it can't be read. For that the
key must be there before the row is written, as `UUIDKeyMixin` makes it, and must never
change.

The keys belong to a `Database`: nothing here reads a setting, and two databases of one
process may have different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import quote
from weakref import ref

from sqlalchemy import (
    ClauseElement,
    Column,
    Dialect,
    LargeBinary,
    and_,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.event import listen, listens_for
from sqlalchemy.orm import Mapper, QueryableAttribute, object_mapper
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator

from shared.crypto import AesKeyRing, DecryptionError, TokenCipher, reencrypt_rows
from shared.database import Database, RefusedValueError
from shared.database._database import database_of

__all__ = [
    "EncryptedString",
    "EncryptedValueError",
    "ReencryptionProgress",
    "SealedText",
    "associated_data",
    "reencrypt_column",
    "use_encryption_keys",
]

_CIPHER: Final = __name__


class EncryptedValueError(Exception):
    """What a column holds can't be decrypted. The message names the column only.

    It was changed or moved, or its key is not in the ring any more; the cause says.
    """


def use_encryption_keys(database: Database, ring: AesKeyRing) -> None:
    """Give the encrypted columns of *database* their keys.

    The first key of *ring* encrypts, and all of them decrypt. Call it again with
    another ring to rotate while the service runs.
    """
    database.beside[_CIPHER] = TokenCipher(ring)


def associated_data(column: Column[Any], key: Sequence[object] | None = None) -> bytes:
    """What a ciphertext is bound to: ``table.column``, or ``table.column:key``.

    Args:
        column: Of a table.
        key: The values of the row's primary key, if it is bound to the row.
    """
    place = f"{column.table.fullname}.{column.name}"
    if key is not None:
        # A separator can't be part of a value.
        place += ":" + ",".join(quote(str(value), safe="") for value in key)
    return place.encode()


class SealedText:
    """A value bound to its row, and read without it."""

    __slots__ = ("_cipher", "_column", "_token")

    def __init__(self, token: bytes, cipher: TokenCipher, column: Column[Any]) -> None:
        self._token = token
        self._cipher = cipher
        self._column = column

    def open(self, *key: object) -> str:
        """The text, if the row has this primary key.

        Raises:
            EncryptedValueError: It has another, or the ciphertext was changed.
        """
        return _decrypted(self._cipher, self._token, self._column, key)

    def __repr__(self) -> str:
        return f"<SealedText {associated_data(self._column).decode()}>"


class EncryptedString(TypeDecorator[str]):
    """Text, encrypted in the database with AES-256-GCM.

    It can't be searched, sorted or compared: equal texts have different ciphertexts.
    Keep a keyed hash beside it where that is needed.

    Args:
        bound_to_row: Bind it to the row too. Then it is written through objects only,
            and a query for the bare column gives a `SealedText`.
    """

    impl = LargeBinary
    cache_ok = True

    class Comparator(TypeDecorator.Comparator[str]):
        """Only whether there is a value can be asked."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            """Refuse everything but the comparison with None.

            And with itself, by which SQLAlchemy looks for a column among others.
            """
            asked = op in (operators.is_, operators.is_not) or (
                op in (operators.eq, operators.ne)
                and (other[0] is None or _is_same(other[0], self.expr))
            )
            if not asked:
                raise TypeError(
                    "An encrypted column can't be compared or sorted: equal texts have "
                    "different ciphertexts. Keep a keyed hash beside it."
                )
            return super().operate(op, *other, **kwargs)

    comparator_factory = Comparator

    def __init__(self, *, bound_to_row: bool = False) -> None:
        super().__init__()
        self.bound_to_row = bound_to_row
        self._place: Column[Any] | None = None

    def _set_parent(self, parent: Any, outer: bool = False, **kwargs: Any) -> None:
        super()._set_parent(parent, outer, **kwargs)
        if isinstance(parent, Column):
            self._place = parent

    def copy(self, **_: Any) -> EncryptedString:
        """The type for a dialect, or for another column, which then says that it is."""
        twin = type(self)(bound_to_row=self.bound_to_row)
        twin._place = self._place
        return twin

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encrypt it."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise RefusedValueError("An encrypted column takes text.")
        place = self._column()
        key: Sequence[object] | None = None
        if self.bound_to_row:
            key = value.key() if isinstance(value, _RowText) else None
            if key is None:
                raise RefusedValueError(
                    f"{associated_data(place).decode()} is bound to its row: write it "
                    "through an object whose primary key is there before the row is."
                )
        return _cipher(dialect).encrypt(
            value, associated_data=associated_data(place, key)
        )

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        """Decrypt it, or leave that to where the row is known."""
        if value is None:
            return None
        cipher, place = _cipher(dialect), self._column()
        if self.bound_to_row:
            return SealedText(value, cipher, place)
        return _decrypted(cipher, value, place, None)

    def _column(self) -> Column[Any]:
        if self._place is None:
            raise RefusedValueError(
                "An EncryptedString stands in the column of a table, and nowhere else."
            )
        return self._place


def _is_same(one: object, column: object) -> bool:
    """Whether both are one column; what SQLAlchemy annotates keeps the hash."""
    return isinstance(one, ClauseElement) and hash(one) == hash(column)


class _RowText(str):
    """Text that knows the object it is a field of."""

    _owner: ref[object]

    def __new__(cls, text: str, owner: object) -> _RowText:
        self = super().__new__(cls, text)
        self._owner = ref(owner)
        return self

    def key(self) -> Sequence[object] | None:
        owner = self._owner()
        if owner is None:
            return None
        key = object_mapper(owner).primary_key_from_instance(owner)
        return None if None in key else key

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return (str, (str(self),))  # elsewhere it is text


@listens_for(Mapper, "mapper_configured")
def _watch(mapper: Mapper[Any], cls: type[Any]) -> None:
    """Have objects of a model with values bound to rows seal and open them."""
    bound = [
        prop.key
        for prop in mapper.column_attrs
        if isinstance(prop.columns[0], Column)
        and isinstance(prop.columns[0].type, EncryptedString)
        and prop.columns[0].type.bound_to_row
    ]
    if not bound:
        return

    def on_set(target: object, value: object, *_: object) -> object:
        return _RowText(value, target) if isinstance(value, str) else value

    def on_load(target: object, *_: object) -> None:
        held = target.__dict__
        for name in bound:
            if isinstance(sealed := held.get(name), SealedText):
                text = sealed.open(*mapper.primary_key_from_instance(target))
                set_committed_value(target, name, _RowText(text, target))

    for name in bound:
        listen(getattr(cls, name), "set", on_set, retval=True)
    listen(cls, "load", on_load)
    listen(cls, "refresh", on_load)


@dataclass(frozen=True, slots=True)
class ReencryptionProgress:
    """How far `reencrypt_column` has come."""

    seen: int
    changed: int


def reencrypt_column(
    database: Database,
    attribute: QueryableAttribute[Any],
    *,
    batch_size: int = 500,
    on_error: Callable[[Any, DecryptionError], None] | None = None,
) -> Iterator[ReencryptionProgress]:
    """Put all values of a column under the first key of the ring, batch by batch.

    Each batch is a transaction of its own, and is yielded when it is committed. A run
    that broke off is resumed by another: what is done already is passed over. A value
    that somebody saves meanwhile is left as they saved it.

    Args:
        database: With the new key first in its ring, and the old ones behind.
        attribute: ``Webhook.secret``.
        batch_size: Rows of a transaction.
        on_error: Is told the primary key of each row that can't be decrypted, and the
            run goes on. Without it the first one raises.

    Raises:
        DecryptionError: A value can't be decrypted, and there is no *on_error*.
    """
    column = attribute.property.columns[0]
    table, bound = column.table, column.type.bound_to_row
    token = type_coerce(column, LargeBinary)
    key_columns = [*table.primary_key.columns]
    cipher = _cipher_of(database)
    place = tuple_(*key_columns)
    page = select(*key_columns, token).order_by(*key_columns).limit(batch_size)
    seen = changed = 0
    last: tuple[Any, ...] | None = None
    while True:
        with database.sync_session() as session:
            statement = page
            if last is not None:
                statement = page.where(place > last)
            rows = [(tuple(row[:-1]), row[-1]) for row in session.execute(statement)]
            if not rows:
                return
            last = rows[-1][0]
            tokens = dict(rows)
            todo = (
                (key, old, associated_data(column, key if bound else None))
                for key, old in rows
            )
            for key, new in reencrypt_rows(cipher, todo, on_error=on_error):
                same = [c == value for c, value in zip(key_columns, key, strict=True)]
                session.execute(
                    update(table)
                    .where(and_(*same), token == tokens[key])
                    .values({column.name: type_coerce(new, LargeBinary)})
                )
                changed += 1
        seen += len(rows)
        yield ReencryptionProgress(seen, changed)


def _decrypted(
    cipher: TokenCipher, token: bytes, column: Column[Any], key: Sequence[object] | None
) -> str:
    try:
        return cipher.decrypt_text(token, associated_data=associated_data(column, key))
    except DecryptionError as error:
        raise EncryptedValueError(
            f"A value of {associated_data(column).decode()} can't be decrypted: it was "
            "changed or moved, or its key is not in the ring."
        ) from error


def _cipher(dialect: Dialect) -> TokenCipher:
    database = database_of(dialect)
    if database is None:
        _no_keys()
    return _cipher_of(database)


def _cipher_of(database: Database) -> TokenCipher:
    cipher = database.beside.get(_CIPHER)
    if not isinstance(cipher, TokenCipher):
        _no_keys()
    return cipher


def _no_keys() -> NoReturn:
    raise RefusedValueError(
        "The database has no encryption keys: call use_encryption_keys(database, ring) "
        "before its encrypted columns are used."
    )
