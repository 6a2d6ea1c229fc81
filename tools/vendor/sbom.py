"""The software bill of materials, CycloneDX 1.6 as JSON.

https://cyclonedx.org/docs/1.6/json
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.metadata import RawMetadata

from tools.vendor.wheels import Chosen

_CLASSIFIER = "License :: OSI Approved :: "
_LONGEST_NAME = 80  # some old distributions put the whole licence text into the field


def compose(
    chosen: Iterable[Chosen],
    *,
    direct: Iterable[str],
    created: datetime | None = None,
) -> str:
    """Describe the wheels, the same text for the same wheels.

    Args:
        chosen: All that gets installed.
        direct: Names among them that were asked for.
        created: Goes into ``metadata.timestamp``, which is absent without it.
    """
    picked = list(chosen)
    components = {c.wheel.name: _component(c) for c in picked}
    root = Component(
        name="creativeflow-kernel-vendored",
        type=ComponentType.APPLICATION,
        bom_ref="root",
        description="What //tools/vendor exported: " + ", ".join(sorted(direct)),
    )
    digest = "\n".join(f"{c.spelled} {c.wheel.sha256}" for c in picked)
    bom = Bom(
        components=components.values(),
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest),
        metadata=BomMetaData(component=root, timestamp=created),
    )
    bom.register_dependency(root, [components[name] for name in direct])
    for c in picked:
        needs = [components[name] for name in sorted(c.needs)]
        bom.register_dependency(components[c.wheel.name], needs)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    if created is None:
        del document["metadata"]["timestamp"]  # the library puts the present moment
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _component(chosen: Chosen) -> Component:
    wheel = chosen.wheel
    purl = PackageURL("pypi", name=wheel.name, version=wheel.version)
    return Component(
        name=wheel.name,
        version=wheel.version,
        bom_ref=str(purl),
        purl=purl,
        description=wheel.metadata.get("summary"),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=_licenses(wheel.metadata),
    )


def _licenses(metadata: RawMetadata) -> list[License]:
    """The licence as declared: SPDX expression, else short text, else classifiers."""
    legacy = metadata.get("license", "").strip()
    if expression := metadata.get("license_expression"):
        names = [expression]
    elif legacy and "\n" not in legacy and len(legacy) <= _LONGEST_NAME:
        names = [legacy]
    else:
        names = [
            classifier.removeprefix(_CLASSIFIER)
            for classifier in metadata.get("classifiers", ())
            if classifier.startswith(_CLASSIFIER)
        ]
    return [
        LicenseFactory().make_from_string(
            name, license_acknowledgement=LicenseAcknowledgement.DECLARED
        )
        for name in names
    ]
