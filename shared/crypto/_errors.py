"""What this package raises. No message, cause or repr holds a key, secret or text.

    InvalidKeyError(ValueError)            a key of ours can't be used; fix the setting
    StoredHashError(ValueError)            a stored hash is none, or its pepper is gone
    InvalidApiKeyError(ValueError)         no API key of ours, or mistyped
    DecryptionError                        one message; why is its ``__cause__``:
      RefusedTokenError
    WebhookVerificationError               one message; why is its ``__cause__``:
      RefusedWebhookError

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations


class InvalidKeyError(ValueError):
    """A key or key ring breaks a rule. It names the rule and never the key."""


class StoredHashError(ValueError):
    """A stored hash can't be checked, so whether the secret fits is not known.

    Not a False: that would lock everybody out without a trace when a column is cut off
    or a pepper is taken away too early.
    """


class InvalidApiKeyError(ValueError):
    """A text is no API key of this format. It says which rule, and no part of it."""


class DecryptionError(Exception):
    """A token can't be decrypted; the one error for every reason.

    Not a ValueError, which code around a decryption might take for its own. The reason
    is its ``__cause__``, a ``RefusedTokenError``: for the log, not for a caller.
    """

    def __init__(self) -> None:
        super().__init__("The value could not be decrypted.")

    def __reduce__(self) -> tuple[type[DecryptionError], tuple[()]]:
        return (type(self), ())


class RefusedTokenError(Exception):
    """Why a token was refused. Its text is ours and quotes at most a key id."""


class WebhookVerificationError(Exception):
    """A webhook is not to be believed; the one error for every reason.

    The reason is its ``__cause__``, a ``RefusedWebhookError``: for the log.
    """

    def __init__(self) -> None:
        super().__init__("The webhook could not be verified.")

    def __reduce__(self) -> tuple[type[WebhookVerificationError], tuple[()]]:
        return (type(self), ())


class RefusedWebhookError(Exception):
    """Why a webhook was refused. Its text is ours and quotes nothing of it."""
