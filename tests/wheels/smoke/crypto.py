"""A value is encrypted, a password hashed, an API key made and a webhook signed."""

import sys

from shared.crypto import (
    API_KEY_FORMAT,
    AesKeyRing,
    DecryptionError,
    PepperRing,
    TokenCipher,
    WebhookSigner,
    WebhookVerifier,
    generate_api_key_and_secret,
    generate_webhook_key_pair,
    hash_api_secret,
    hash_password,
    verify_api_secret,
    verify_password,
)

cipher = TokenCipher(AesKeyRing.generate())
token = cipher.encrypt("secret", associated_data=b"here")
assert cipher.decrypt_text(token, associated_data=b"here") == "secret"
try:
    cipher.decrypt(token, associated_data=b"there")
except DecryptionError:
    refused = True
else:
    refused = False
assert refused

stored = hash_password("correct horse")
assert verify_password("correct horse", stored)
assert not verify_password("wrong horse", stored)

api_key, secret = generate_api_key_and_secret()
peppers = PepperRing.generate()
assert API_KEY_FORMAT.parse(secret).key_id == api_key
assert verify_api_secret(
    secret, hash_api_secret(secret, peppers=peppers), peppers=peppers
)

pair = generate_webhook_key_pair()
headers = WebhookSigner(pair.secret).sign("msg_1", "{}")
assert WebhookVerifier(pair.public).verify(headers, b"{}").message_id == "msg_1"

assert "pydantic" not in sys.modules
