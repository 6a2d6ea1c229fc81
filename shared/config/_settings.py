"""The tree of settings that every service has.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.config._errors import ConfigurationError, ConfigurationProblem
from shared.config._frozen import FrozenMap
from shared.config._keys import (
    check_aes_keys,
    check_log_level,
    check_peppers,
    check_service_name,
    check_signing_key,
)
from shared.config._names import url_variable
from shared.config._production import WEAK, weaknesses
from shared.config._section import ConfigSection, Env
from shared.config._tree import SERVICE_NAME
from shared.config._urls import (
    SecretUrl,
    amqp_url,
    connection_string,
    database_url,
    redis_url,
    refuse,
    web_document_url,
    web_origin,
    web_url,
)

Environment = Literal["development", "test", "staging", "production"]
PRODUCTION: Environment = "production"
EMBEDDED = "sqlite:///./{}.db"

_WebUrl = Annotated[str, BeforeValidator(web_url)]
_SigningKey = Annotated[SecretStr, AfterValidator(check_signing_key)]


class DatabaseConfig(ConfigSection):
    """The database. SQLite is the embedded default."""

    url: Annotated[
        SecretUrl,
        BeforeValidator(database_url),
        Env("DATABASE_URL", unset=EMBEDDED.format("<service>")),
        Field(
            description="Where the database is; a driver in it is ignored.",
            examples=["postgresql://user:password@localhost:5432/name"],
        ),
    ]
    pool_size: Annotated[
        int,
        Env("DB_POOL_SIZE"),
        Field(ge=1, le=1000, description="Connections that are kept open."),
    ] = 5
    max_overflow: Annotated[
        int,
        Env("DB_MAX_OVERFLOW"),
        Field(ge=0, le=1000, description="Connections beyond those, for a peak."),
    ] = 10
    pool_timeout: Annotated[
        float,
        Env("DB_POOL_TIMEOUT"),
        Field(gt=0, description="Seconds to wait for a free connection."),
    ] = 5.0
    pool_recycle: Annotated[
        int,
        Env("DB_POOL_RECYCLE"),
        Field(ge=-1, description="Seconds after which one is renewed; -1 is never."),
    ] = 1800
    connect_timeout: Annotated[
        float,
        Env("DB_CONNECT_TIMEOUT"),
        Field(gt=0, description="Seconds that connecting may take."),
    ] = 5.0
    statement_timeout: Annotated[
        float | None,
        Env("DB_STATEMENT_TIMEOUT"),
        Field(gt=0, description="Seconds that one statement may take."),
    ] = None
    echo: Annotated[
        bool,
        Env("DB_ECHO"),
        Field(description="Log every statement. Refused in production."),
    ] = False

    @property
    def connection_string(self) -> str:
        """The URL with its password, for SQLAlchemy, which is told the driver apart."""
        return connection_string(self.url.get_secret_value())


def _embedded_database(data: dict[str, Any]) -> DatabaseConfig:
    return DatabaseConfig(url=EMBEDDED.format(data[SERVICE_NAME]))


class RedisConfig(ConfigSection):
    """Redis, for the cache and rate limits. Without it they are in the process."""

    url: Annotated[
        SecretUrl | None,
        BeforeValidator(redis_url),
        Env("REDIS_URL"),
        Field(
            description="Where Redis is.",
            examples=["redis://:password@localhost:6379/0"],
        ),
    ] = None

    @property
    def connection_string(self) -> str | None:
        """The URL with its password."""
        return None if self.url is None else self.url.get_secret_value()


class RabbitMQConfig(ConfigSection):
    """RabbitMQ, for events. Without it the bus is in the process."""

    url: Annotated[
        SecretUrl | None,
        BeforeValidator(amqp_url),
        Env("RABBITMQ_URL"),
        Field(
            description="Where RabbitMQ is.",
            examples=["amqp://user:password@localhost:5672/"],
        ),
    ] = None

    @property
    def connection_string(self) -> str | None:
        """The URL with its password."""
        return None if self.url is None else self.url.get_secret_value()


class SecurityConfig(ConfigSection):
    """Keys and tokens."""

    secret_key: Annotated[
        _SigningKey | None,
        Env("SECRET_KEY"),
        Field(description="Signs what this service issues. 32 or more random bytes."),
    ] = None
    previous_secret_keys: Annotated[
        tuple[_SigningKey, ...],
        Env("PREVIOUS_SECRET_KEYS"),
        Field(description="Keys before it, still accepted during a rotation."),
    ] = ()
    jwks_url: Annotated[
        str | None,
        BeforeValidator(web_document_url),
        Env("JWKS_URL"),
        Field(
            description="The key set of the tokens' issuer. https in production.",
            examples=["https://issuer.example/.well-known/jwks.json"],
        ),
    ] = None
    jwt_issuer: Annotated[
        str | None,
        Env("JWT_ISSUER"),
        Field(
            description="Who must have issued a token.",
            examples=["https://issuer.example"],
        ),
    ] = None
    jwt_audience: Annotated[
        str | None,
        Env("JWT_AUDIENCE"),
        Field(description="For whom a token must be.", examples=["my-service"]),
    ] = None
    access_token_expire_minutes: Annotated[
        int,
        Env("ACCESS_TOKEN_EXPIRE_MINUTES"),
        Field(ge=1, le=43_200, description="How long an access token is good."),
    ] = 60
    aes_key: Annotated[
        SecretStr | None,
        AfterValidator(lambda key: key and check_aes_keys(key)),
        Env("AES_KEY"),
        Field(
            description="Encrypts values at rest: 32 bytes in base64, or a ring, of "
            "which the first key encrypts (k2:base64,k1:base64).",
        ),
    ] = None
    api_key_peppers: Annotated[
        SecretStr | None,
        AfterValidator(lambda ring: ring and check_peppers(ring)),
        Env("API_KEY_PEPPERS"),
        Field(
            description="Hash the secrets of API keys: 32 or more bytes in base64, or "
            "a ring, of which the first hashes new ones (p2:base64,p1:base64).",
        ),
    ] = None


class CorsConfig(ConfigSection):
    """Which pages of other origins may call."""

    allow_origins: Annotated[
        tuple[Annotated[str, BeforeValidator(web_origin)], ...],
        Env("CORS_ALLOW_ORIGINS"),
        Field(
            description="Origins of those pages; * is every one.",
            examples=["https://app.example,https://admin.example"],
        ),
    ] = ()
    allow_credentials: Annotated[
        bool,
        Env("CORS_ALLOW_CREDENTIALS"),
        Field(description="They may send cookies and Authorization. Not with *."),
    ] = False
    allow_methods: Annotated[
        tuple[str, ...],
        Env("CORS_ALLOW_METHODS"),
        Field(description="Methods they may use."),
    ] = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    allow_headers: Annotated[
        tuple[str, ...],
        Env("CORS_ALLOW_HEADERS"),
        Field(description="Header fields they may send."),
    ] = (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "X-Correlation-ID",
    )
    max_age: Annotated[
        int,
        Env("CORS_MAX_AGE"),
        Field(ge=0, le=86_400, description="Seconds a browser remembers all this."),
    ] = 600

    @model_validator(mode="after")
    def _every_origin_without_credentials(self) -> Self:
        if self.allow_credentials and "*" in self.allow_origins:
            refuse(
                "* together with CORS_ALLOW_CREDENTIALS=true would let every web page "
                "act as the user.",
                "List the origins, or allow no credentials.",
                field="allow_origins",
            )
        return self


class ServerConfig(ConfigSection):
    """The HTTP server and its limits."""

    host: Annotated[
        str,
        Env("SERVER_HOST"),
        Field(min_length=1, description="Where it listens; 0.0.0.0 in a container."),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Env("SERVER_PORT", "PORT"),
        Field(ge=0, le=65_535, description="On which port; 0 is any free one."),
    ] = 8000
    max_body_bytes: Annotated[
        int,
        Env("MAX_BODY_BYTES"),
        Field(ge=1, description="The largest body of a request."),
    ] = 1_048_576
    request_timeout: Annotated[
        float,
        Env("REQUEST_TIMEOUT"),
        Field(gt=0, description="Seconds that one request may take."),
    ] = 30.0
    shutdown_timeout: Annotated[
        float,
        Env("SHUTDOWN_TIMEOUT"),
        Field(ge=0, description="Seconds that running requests get to finish."),
    ] = 20.0
    shutdown_delay: Annotated[
        float,
        Env("SHUTDOWN_DELAY"),
        Field(
            ge=0,
            description="Seconds for load balancers to notice that it is not ready.",
        ),
    ] = 0.0
    trusted_proxies: Annotated[
        tuple[str, ...],
        Env("TRUSTED_PROXIES"),
        Field(
            description="Proxies whose X-Forwarded-For and -Proto are believed: "
            "addresses or networks, or * for whoever connects.",
            examples=["10.0.0.0/8"],
        ),
    ] = ()
    docs_enabled: Annotated[
        bool,
        Env("DOCS_ENABLED"),
        Field(description="Show the documentation of the API."),
    ] = True


class ServiceConfig(ConfigSection, BaseSettings):
    """All settings of a service; a service adds its own in a subclass.

    ``get_config`` and ``load_config`` read them from where they are set. The class
    itself reads nothing: ``ServiceConfig(service_name="x")`` has all the defaults,
    wherever it runs.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    service_name: Annotated[str, AfterValidator(check_service_name)]
    # Second: its default is made of the first, if no field before it is wrong.
    database: DatabaseConfig = Field(default_factory=_embedded_database)
    service_version: Annotated[
        str,
        Field(min_length=1, description="Version of the service, for its /info."),
    ] = "0.0.0"
    environment: Annotated[
        Environment,
        Field(description="Where it runs. Production refuses weak settings."),
    ] = "development"
    log_level: Annotated[
        str,
        AfterValidator(check_log_level),
        Field(description="DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    ] = "INFO"
    redis: RedisConfig = RedisConfig()
    rabbitmq: RabbitMQConfig = RabbitMQConfig()
    security: SecurityConfig = SecurityConfig()
    cors: CorsConfig = CorsConfig()
    server: ServerConfig = ServerConfig()
    service_urls: Annotated[
        Mapping[str, _WebUrl],
        AfterValidator(FrozenMap[str]),
        PlainSerializer(dict[str, str]),
    ] = FrozenMap[str]({})
    features: Annotated[
        Mapping[str, bool],
        AfterValidator(FrozenMap[bool]),
        PlainSerializer(dict[str, bool]),
    ] = FrozenMap[bool]({})

    def service_url(self, name: str) -> str:
        """The URL of the service called *name*, without a slash at its end.

        Raises:
            ConfigurationError: It is not set; the message names the variable.
        """
        url = self.service_urls.get(name)
        if url is None:
            raise ConfigurationError(self.service_name, [_unset_url(name)])
        return url

    def feature(self, name: str, *, default: bool = False) -> bool:
        """Whether the feature called *name* is on; *default* if nothing is set."""
        return self.features.get(name, default)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: pydantic-settings' own errors quote what they read."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _embedded_database(cls, data: Any) -> Any:
        match data:
            case {"service_name": str(name), "database": Mapping() as database}:
                url = EMBEDDED.format(name)
                return {**data, "database": {"url": url, **database}}
        return data

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.environment == PRODUCTION:
            found = [*weaknesses(self)]
            if found:
                raise PydanticCustomError(
                    WEAK,
                    "{text}",
                    {
                        "text": " ".join(f"{w.rule} {w.advice}" for w in found),
                        "weaknesses": found,
                    },
                )
        return self


def _unset_url(name: str) -> ConfigurationProblem:
    variable = url_variable(name)
    if variable is None:
        return ConfigurationProblem(
            repr(name),
            "is no service whose URL can be set: its name must end in -service.",
            "Call it like subject-service, or give its URL a field of its own.",
        )
    return ConfigurationProblem(
        variable, "is not set, and this service calls it.", "Set it to its URL."
    )
