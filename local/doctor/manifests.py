"""Finds an image among the documents of an archive: ``manifest.json`` of ``docker save``, or ``index.json`` of an OCI
layout (OCI image specification, image layout).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import join, normpath
from typing import Any

from local.doctor.errors import UnreadableError

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
Documents = Mapping[str, Any]
"""The JSON files of an archive by their names in it."""


@dataclass(frozen=True)
class Manifest:
    """Which files of an archive make up one image."""

    config: Mapping[str, Any]
    layers: list[str]
    """Names in the archive, lowest first."""

    @property
    def platform(self) -> str:
        return f"{self.config.get('os')}/{self.config.get('architecture')}"


def find(documents: Documents, platform: str) -> Manifest:
    """The image; among several the one for ``platform``.

    UnreadableError if there is none, or no telling which.
    """
    if "index.json" in documents:
        found = [_oci(documents, name) for name in _manifests(documents, documents["index.json"])]
    elif "manifest.json" in documents:
        found = [_docker(documents, entry) for entry in documents["manifest.json"] or ()]
    else:
        raise UnreadableError(
            "this is no image: it has neither an index.json (OCI layout) nor a manifest.json (docker save)",
            "docker save IMAGE > image.tar makes one; a file system's tar is none",
        )
    if len(found) == 1:
        return found[0]
    fitting = [manifest for manifest in found if manifest.platform == platform]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(sorted(manifest.platform for manifest in found)) or "nothing"
    if fitting:
        raise UnreadableError(
            f"the archive holds {len(fitting)} images for {platform}", "save one: docker save IMAGE > image.tar"
        )
    raise UnreadableError(f"the archive has no image for {platform}; it has {there}", "choose one with --platform")


def _manifests(documents: Documents, index: Mapping[str, Any]) -> Iterator[str]:
    """Names of the manifests below an index; attestations, which BuildKit puts beside images, are none."""
    for entry in index.get("manifests") or ():
        name = _blob(entry)
        if "vnd.docker.reference.type" in (entry.get("annotations") or {}):
            continue
        document = _need(documents, name)
        if entry.get("mediaType") in _INDEXES or "manifests" in document:
            yield from _manifests(documents, document)
        else:
            yield name


def _oci(documents: Documents, name: str) -> Manifest:
    manifest = _need(documents, name)
    config = _need(documents, _blob(manifest.get("config") or {}))
    return Manifest(config, [_blob(layer) for layer in manifest.get("layers") or ()])


def _docker(documents: Documents, entry: Mapping[str, Any]) -> Manifest:
    config = _need(documents, str(entry.get("Config")))
    return Manifest(config, [normpath(name) for name in entry.get("Layers") or ()])


def _blob(descriptor: Mapping[str, Any]) -> str:
    return join("blobs", *str(descriptor.get("digest", "")).split(":"))


def _need(documents: Documents, name: str) -> Any:
    if not isinstance(documents.get(name), dict):
        raise UnreadableError(f"the archive is incomplete: it has no {name}", "save the image again")
    return documents[name]
