"""An account's image registry: the token that opens it, and what it holds under a tag.

ECR's own operations could say the same, but this asks the registry that ``docker push`` sends to.
"""

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any

from local.aws.account import Account
from local.cli.refusal import FAILED, Refusal

_MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Held:
    """An image in the registry."""

    digest: str
    """Of its manifest: what it is called there."""
    config: str
    """Of its configuration, which the engine calls an image's id; empty for images of several architectures."""

    def is_image(self, image_id: str) -> bool:
        """Whether it is the engine's image of that id, in either of its stores."""
        return image_id in (self.config, self.digest)


@dataclass(frozen=True)
class Registry:
    """A registry and what opens it, for 12 hours."""

    url: str
    user: str
    password: str = field(repr=False)

    @property
    def host(self) -> str:
        """What image names begin with."""
        return self.url.partition("://")[2].rstrip("/")

    @property
    def login(self) -> dict[str, str]:
        """As the engine takes it."""
        return {"username": self.user, "password": self.password}

    def held(self, repository: str, tag: str) -> Held | None:
        """What a tag names; None if there is no such tag. Raises Refusal if the registry does not say."""
        import requests

        url = f"{self.url}/v2/{repository}/manifests/{tag}"
        try:
            reply = requests.get(
                url,
                headers={"Accept": _MANIFESTS},
                auth=(self.user, self.password),
                timeout=_TIMEOUT_S,
                verify=os.environ.get("AWS_CA_BUNDLE") or True,
            )
        except requests.RequestException as error:
            raise Refusal(f"the registry {self.host} does not answer: {error}", "check the network", FAILED) from error
        if reply.status_code == 404:
            return None
        if reply.status_code != 200:
            raise refused(self, repository, f"{reply.status_code} {reply.reason}")
        config: dict[str, Any] = json.loads(reply.content).get("config", {})
        return Held(reply.headers["Docker-Content-Digest"], config.get("digest", ""))


def open_registry(account: Account) -> Registry:
    """Logs in to the account's registry; nothing is written to ``~/.docker``."""
    token = account.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
    return Registry(token["proxyEndpoint"], user, password)


def refused(registry: Registry, repository: str, said: str) -> Refusal:
    """What the registry, or the engine for it, answered when asked for or sent an image."""
    if "denied" in said or "403" in said:
        hint = "these credentials need ECR's actions to push (AmazonEC2ContainerRegistryPowerUser has them)"
    elif "no basic auth" in said or "unauthorized" in said.lower() or "401" in said:
        hint = "the credentials are not valid any more, or not for this registry: aws sts get-caller-identity"
    else:
        hint = "make push goes on where it stopped"
    return Refusal(f"the registry {registry.host} refused {repository}: {said}", hint, FAILED)
