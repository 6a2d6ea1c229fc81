"""Encryption at rest, password hashes, API keys, and signed webhooks."""

from shared.crypto._aes_ring import AesKeyRing
from shared.crypto._errors import (
    DecryptionError,
    InvalidKeyError,
    RefusedTokenError,
    StoredHashError,
)
from shared.crypto._passwords import (
    hash_password,
    password_needs_rehash,
    verify_password,
)
from shared.crypto._token_cipher import TokenCipher, reencrypt_rows

__all__ = [
    # Values encrypted at rest
    "AesKeyRing",
    "TokenCipher",
    "reencrypt_rows",
    "DecryptionError",
    "RefusedTokenError",
    # Passwords
    "hash_password",
    "verify_password",
    "password_needs_rehash",
    # Keys and hashes that can't be used
    "InvalidKeyError",
    "StoredHashError",
]
