"""Secrets that a file gives away, by its name and its text. Looked for while a layer streams past.

What packages bring (test keys, examples in documentation) is everybody's and no secret; their folders are left out.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch

LARGEST_BYTES = 256 << 10
"""Larger files are not read for secrets."""
NAMED = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)$", re.IGNORECASE
)
"""Names of variables that hold secrets; not those that say where one lies (``…_FILE``)."""

_PACKAGES = ("site-packages/", "dist-packages/", "node_modules/", "usr/lib/", "usr/share/", "usr/include/", "/pkgs/")
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=:,\s-]{40}")
_TOKENS = {
    "AWS access key": rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "GitHub token": rb"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}",
    "GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20}\b",
    "Hugging Face token": rb"\bhf_[A-Za-z]{34}\b",
    "Slack token": rb"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "Google API key": rb"\bAIza[A-Za-z0-9_-]{35}\b",
    "PyPI token": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
}
_TOKEN = re.compile(b"|".join(b"(%s)" % pattern for pattern in _TOKENS.values()))
_CREDENTIALS = {
    "*.aws/credentials": rb"aws_secret_access_key\s*=\s*\S",
    "*.netrc": rb"\bpassword\s+\S",
    "*.git-credentials": rb"://[^\s/]+:[^\s@]+@",
    "*.docker/config.json": rb'"(?:auth|identitytoken)"\s*:\s*"[^"]',
    "*.pypirc": rb"password\s*[:=]\s*\S",
    "*.npmrc": rb"_(?:authToken|password|auth)\s*=\s*[^\s$]",
    "*pip.conf": rb"://[^\s/]+:[^\s@$]+@",
    "*.kaggle/kaggle.json": rb'"key"\s*:\s*"[^"]',
    "*huggingface/token": rb"\S",
    "*application_default_credentials.json": rb'"(?:private_key|refresh_token)"',
    "*/.env": rb"(?im)^(?:export )?\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY)\s*=\s*['\"]?[^\s'\"$]",
}


class Kind(StrEnum):
    private_key = "private key"
    host_key = "SSH host key"
    authorized_keys = "SSH keys that may log in"
    credentials = "credentials"
    token = "token"


@dataclass(frozen=True, slots=True)
class Trace:
    kind: Kind
    what: str
    """Never the secret itself."""


def worth_reading(path: str, size_bytes: int) -> bool:
    return 0 < size_bytes <= LARGEST_BYTES and not any(folder in path for folder in _PACKAGES)


def of_file(path: str, data: bytes) -> Trace | None:
    """The first secret of a file of the image; ``path`` has no leading slash."""
    if fnmatch(path, "etc/ssh/ssh_host_*_key"):
        return Trace(Kind.host_key, "an SSH host key")
    if path.endswith(".ssh/authorized_keys") and re.search(rb"(?m)^\s*[^#\s]", data):
        return Trace(Kind.authorized_keys, "SSH keys that may log in")
    if b"PRIVATE KEY-----" in data and _PRIVATE_KEY.search(data):
        return Trace(Kind.private_key, "a private key")
    for pattern, content in _CREDENTIALS.items():
        if fnmatch(f"/{path}", pattern) and re.search(content, data):
            return Trace(Kind.credentials, f"credentials ({path.rsplit('/', 1)[-1]})")
    name = token(data)
    return Trace(Kind.token, f"what looks like a {name}") if name else None


def token(data: bytes) -> str:
    """The kind of the first access token in a text, or nothing; AWS's documented examples do not count."""
    for match in _TOKEN.finditer(data):
        if b"EXAMPLE" not in match[0]:
            return list(_TOKENS)[(match.lastindex or 1) - 1]
    return ""
