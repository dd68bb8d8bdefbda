"""Files that no context takes in by itself: those that hold secrets, and those that nobody wrote.

Somebody who names one of them exactly gets it, with the secrets that can be told apart redacted.
"""

import fnmatch
import posixpath
import re

_SECRET = """
    .env .env.* *.env .envrc .netrc _netrc .npmrc .pypirc .pgpass .my.cnf .git-credentials .htpasswd .dockercfg
    *.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx *.ppk id_rsa* id_dsa* id_ecdsa* id_ed25519*
    credentials credentials.json credentials.y*ml secrets.json secrets.y*ml secrets.toml service-account*.json
    terraform.tfstate* *.tfvars kubeconfig .vault-token
"""
_EXAMPLE = re.compile(r"\.(example|sample|template|dist|defaults?)$|\.pub$")
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure"})
_GENERATED = """
    package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb poetry.lock pdm.lock uv.lock
    pipfile.lock cargo.lock go.sum go.work.sum composer.lock gemfile.lock flake.lock *.min.js *.min.css *.min.mjs *.map
    *.snap *.pb.go *_pb2.py *_pb2_grpc.py *.generated.* *.tsbuildinfo
"""
_GENERATED_FOLDERS = frozenset(
    {"vendor", "third_party", "dist", "build", "target", "coverage", "htmlcov", "__snapshots__", "site-packages"}
)
_SECRET_NAMES = re.compile("|".join(fnmatch.translate(name) for name in _SECRET.split()))
_GENERATED_NAMES = re.compile("|".join(fnmatch.translate(name) for name in _GENERATED.split()))


def may_hold_secrets(path: str) -> bool:
    *folders, name = path.lower().split("/")
    if not _SECRET_FOLDERS.isdisjoint(folders):
        return True
    return bool(_SECRET_NAMES.match(name)) and not _EXAMPLE.search(name)


def is_generated(path: str) -> bool:
    """A lock file, a bundle, a snapshot, or something in a folder of built or vendored files."""
    lowered = path.lower()
    folders = posixpath.dirname(lowered).split("/")
    return not _GENERATED_FOLDERS.isdisjoint(folders) or bool(_GENERATED_NAMES.match(posixpath.basename(lowered)))
