"""Encryption at rest, password hashes, API keys, and signed webhooks."""

from shared.crypto._aes_ring import AesKeyRing
from shared.crypto._api_keys import (
    API_KEY_FORMAT,
    ApiKey,
    ApiKeyAndSecret,
    ApiKeyFormat,
    generate_api_key_and_secret,
)
from shared.crypto._api_secrets import (
    PepperRing,
    api_secret_needs_rehash,
    hash_api_secret,
    verify_api_secret,
)
from shared.crypto._errors import (
    DecryptionError,
    InvalidApiKeyError,
    InvalidKeyError,
    RefusedTokenError,
    RefusedWebhookError,
    StoredHashError,
    WebhookVerificationError,
)
from shared.crypto._passwords import (
    hash_password,
    password_needs_rehash,
    verify_password,
)
from shared.crypto._token_cipher import TokenCipher, reencrypt_rows
from shared.crypto._webhook_keys import (
    WebhookKeyPair,
    generate_webhook_key_pair,
    generate_webhook_secret,
)
from shared.crypto._webhooks import VerifiedWebhook, WebhookSigner, WebhookVerifier

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
    # API keys
    "API_KEY_FORMAT",
    "ApiKey",
    "ApiKeyAndSecret",
    "ApiKeyFormat",
    "generate_api_key_and_secret",
    "InvalidApiKeyError",
    "PepperRing",
    "hash_api_secret",
    "verify_api_secret",
    "api_secret_needs_rehash",
    # Standard Webhooks
    "WebhookSigner",
    "WebhookVerifier",
    "VerifiedWebhook",
    "WebhookKeyPair",
    "generate_webhook_key_pair",
    "generate_webhook_secret",
    "WebhookVerificationError",
    "RefusedWebhookError",
    # Keys and hashes that can't be used
    "InvalidKeyError",
    "StoredHashError",
]
