"""Names that look like settings and are none: mistyped ones are told.

In ``.env`` and in the directory of secrets, which this service has for itself, a name
that is close to a setting is an error, and so is any unknown name with the service's
own prefix. The environment is full of other programs' names: there only the prefix
makes an error, and a close name a note for the log.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from shared.config._errors import ConfigurationProblem
from shared.config._names import FILE_SUFFIX, feature_of, pointed, service_of
from shared.config._sources import SECRETS_DIR, Found, Source
from shared.config._tree import Path, settings_of

# What Kubernetes puts into every pod about a Service that has our service's name.
_ORCHESTRATOR = re.compile(
    r"SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?"
)
_LINK = "PORT"  # tcp://10.0.0.7:8000
_DIGITS = re.compile(r"\d+")
_URL_LIKE = re.compile(r"(?P<head>[A-Z][A-Z0-9_]*_SERVICE_)(?P<end>[A-Z]{2,4})")

# One slip in a short name, two in a long one: AES_KEY is two from API_KEY.
_LONG = 10


@dataclass(slots=True)
class Unknown:
    """What to stop for, and what to tell."""

    problems: list[ConfigurationProblem] = field(default_factory=list)
    notes: list[ConfigurationProblem] = field(default_factory=list)


def unknown_names(
    model: type[BaseModel],
    prefix: str,
    sources: Iterable[Source],
    found: Mapping[Path, Found],
) -> Unknown:
    """Look in *sources* for names that were meant as settings of *model*."""
    known = Known(model, prefix)
    settled = {known.flat(each.name) for each in found.values()}
    unknown = Unknown()
    for source in sources:
        for name, origin in source.origins.items():
            if known.accepts(name):
                continue
            own = name.startswith(prefix)
            if own and known.is_foreign(name, source):
                continue
            meant = known.meant(name, ours=source.is_ours)
            problem = ConfigurationProblem(
                name,
                "unknown;" if meant else "unknown.",
                f"did you mean {meant}?" if meant else "Remove it or correct its name.",
                origin,
            )
            if (own and (meant or known.is_distinctive)) or (meant and source.is_ours):
                unknown.problems.append(problem)
            elif meant and known.flat(meant) not in settled:
                unknown.notes.append(problem)
    return unknown


class Known:
    """The names that *model* has, for the service with *prefix*."""

    def __init__(self, model: type[BaseModel], prefix: str) -> None:
        self.prefix = prefix
        # A short prefix such as USER_ or PYTHON_ is other programs' as well.
        self.is_distinctive = prefix.count("_") > 1
        settings = settings_of(model)
        self.own = {setting.name for setting in settings} | {SECRETS_DIR}
        self.all = {name for setting in settings for name in setting.names} | self.own
        self.by_path = {"_".join(s.path).upper(): s.name for s in settings}

    def flat(self, name: str) -> str:
        return name.removesuffix(FILE_SUFFIX).removeprefix(self.prefix)

    def accepts(self, name: str) -> bool:
        rest = name.removeprefix(self.prefix)
        return (
            self.declares(name)
            or any(map(service_of, (rest, name, pointed(rest), pointed(name))))
            or any(map(feature_of, (rest, name)))
        )

    def declares(self, name: str) -> bool:
        """Whether *name* is a setting, or the file of one, with the prefix or not."""
        rest = name.removeprefix(self.prefix)
        return _is_in(self.all, name) or (rest != name and _is_in(self.own, rest))

    def is_foreign(self, name: str, source: Source) -> bool:
        """Whether a name with our prefix is another's: Kubernetes', a longer name's."""
        rest = name.removeprefix(self.prefix)
        return self.is_orchestrators(name, source) or any(
            rest.endswith(f"_{known}") for known in self.own
        )

    def is_orchestrators(self, name: str, source: Source) -> bool:
        """Whether Kubernetes tells with *name* where our service is."""
        rest = name.removeprefix(self.prefix)
        if rest == _LINK:
            return "://" in source.values.get(name, "")
        return rest != name and bool(_ORCHESTRATOR.fullmatch(rest))

    def meant(self, name: str, *, ours: bool) -> str | None:
        """The setting that *name* is a slip of."""
        shown = name.upper()
        if shown != name and self.accepts(shown):
            return shown
        if shown.startswith(self.prefix):
            rest = shown.removeprefix(self.prefix)
            close = self._close(rest)
            return (close and self.prefix + close) or self._url(shown)
        close = self._close(shown)
        if close is None and ours:
            close = self._prefixed(shown) or self._url(shown)
        return close

    def _close(self, name: str) -> str | None:
        if name in self.by_path:
            return self.by_path[name]
        if name in self.all:  # a second name, which has no form for one service
            return next(s for s in self.own if s.endswith(f"_{name}"))
        pointed = name.removesuffix(FILE_SUFFIX)
        near = min(self._near(pointed), default=None)
        return near and near[1] + name[len(pointed) :]

    def _near(self, name: str) -> Iterator[tuple[int, str]]:
        for known in sorted(self.all):
            allowed = 2 if len(known) >= _LONG else 1
            distance = _distance(name, known, allowed)
            if distance <= allowed and not _differ_by_digits(name, known):
                yield distance, known

    def _prefixed(self, name: str) -> str | None:
        """The setting whose name is right and whose prefix has a slip."""
        for known in sorted(self.own):
            head = name.removesuffix(known)
            if head in (name, "") or len(self.prefix) < _LONG:
                continue
            near = _distance(head, self.prefix, 1) <= 1
            if near and not _differ_by_digits(head, self.prefix):
                return self.prefix + known
        return None

    @staticmethod
    def _url(name: str) -> str | None:
        match = _URL_LIKE.fullmatch(name)
        if match and _distance(match["end"], "URL", 1) <= 1:
            return match["head"] + "URL"
        return None


def _is_in(names: set[str], name: str) -> bool:
    return name in names or (
        name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in names
    )


def _differ_by_digits(one: str, other: str) -> bool:
    """WORKER_1_URL and WORKER_2_URL are two names, not one with a slip."""
    return _DIGITS.sub("", one) == _DIGITS.sub("", other)


def _distance(one: str, other: str, limit: int) -> int:
    """Letters to insert, drop, change or swap; more than *limit* is not told apart."""
    # Cheap, and true of almost every name of an environment: one slip changes the
    # length by one at most, and the letters by two.
    if abs(len(one) - len(other)) > limit or len(set(one) ^ set(other)) > 2 * limit:
        return limit + 1
    earlier: list[int] = []
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            best = min(
                before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted)
            )
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
