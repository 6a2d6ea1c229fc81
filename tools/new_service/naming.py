"""What a service's name becomes in Python, in SQL, in URLs and in the environment."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from tools.new_service.errors import BadInputError

MAX_LENGTH = 32  # without -service: with more, some lines of the templates get too long
SUFFIX = "-service"
_KEBAB = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")

# What else goes by such a name.
_RESERVED = {
    **dict.fromkeys(("drift", "new"), "a command of the generator"),
    **dict.fromkeys(
        ("postgres", "redis", "rabbitmq"), "a server of the root's compose file"
    ),
    **dict.fromkeys(
        ("cors", "database", "feature", "features", "jwks", "jwt", "server", "test"),
        "the start of settings that every service has",
    ),
    **dict.fromkeys(
        ("contracts", "services", "shared", "tests", "tools"), "a folder at the root"
    ),
    **dict.fromkeys(("aux", "con", "nul", "prn"), "a device on Windows"),
}

# Names that the templates use beside that of the model.
TAKEN_CLASSES = frozenset(
    re.findall(
        r"\w+",
        """
        APIRouter Annotated Any ApiContract ArgumentParser AsyncSession
        BadRequestException Base BaseDTO BaseEvent BaseRepository BaseResponseDTO
        BaseUpdateDTO
        BoundedText ConfigurationError ConflictException Database DatabaseConfig
        Dependency Depends Description Env Field Final Finding HTTPConnection Header
        Iterator Mapped
        MigrationError Name NotFoundException NotNull Page PageQuery Path Popen Query
        Response SecurityConfig Sequence Server ServerConfig Service ServiceConfig
        ServiceUnavailableException Settings StartError String TestClient
        TestOnPostgresql TestOnSqlite TimestampMixin UUIDKeyMixin ValidationException
        VersionMixin
        """,
    )
)


@dataclass(frozen=True)
class Names:
    """The spellings of one service."""

    service: str  # user-service

    @property
    def package(self) -> str:
        """The folder below services/, and the Python package."""
        return self.service.replace("-", "_")

    @property
    def prefix(self) -> str:
        """What the service's own environment variables start with."""
        return self.package.upper()

    @property
    def _entity(self) -> str:
        return self.service.removesuffix(SUFFIX)

    @property
    def model(self) -> str:
        """The class of what the service keeps: User for user-service."""
        name = "".join(part.capitalize() for part in self._entity.split("-"))
        taken = keyword.iskeyword(name) or hasattr(builtins, name)
        return f"{name}Record" if taken or name in TAKEN_CLASSES else name

    @property
    def path(self) -> str:
        """Those things in a URL: users."""
        return plural(self._entity)

    @property
    def table(self) -> str:
        """And in the database."""
        return self.path.replace("-", "_")

    @property
    def thing(self) -> str:
        """One of them in a sentence: user, or api platform."""
        return self._entity.replace("-", " ")

    @property
    def things(self) -> str:
        """Several of them in a sentence."""
        return self.path.replace("-", " ")

    @property
    def words(self) -> str:
        """The name as a title: User Service."""
        return " ".join(part.capitalize() for part in self.service.split("-"))


def plural(noun: str) -> str:
    """Return the plural by the rules that cover most nouns; a name in -s has one."""
    if re.search(r"(?:ss|sh|ch|x|z|us|is)$", noun):
        return f"{noun}es"
    if noun.endswith("s"):
        return noun
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def names(service: str) -> Names:
    """Check the name of a service.

    Raises:
        BadInputError: It is not kebab-case, too long, or means something else.
    """
    shown = ascii(service[: MAX_LENGTH + 10])
    too_long = len(service.removesuffix(SUFFIX)) > MAX_LENGTH
    if not _KEBAB.fullmatch(service) or len(service) < 2 or too_long:
        raise BadInputError(
            f"{shown} is no service name: 2 to {MAX_LENGTH} lower-case letters, digits "
            f"and single hyphens, a letter first, {SUFFIX} if you like: user-service."
        )
    if keyword.iskeyword(service):
        raise BadInputError(
            f"{shown} is a keyword of Python, so no package can have that name: "
            f"try {service}-service."
        )
    if service.startswith("sqlite"):
        raise BadInputError(
            f"{shown} would name a table sqlite..., which SQLite keeps to itself: "
            "choose a name that starts otherwise."
        )
    if meaning := _RESERVED.get(service):
        raise BadInputError(
            f"{shown} is reserved: it is {meaning}. Try {service}-service."
        )
    return Names(service)
