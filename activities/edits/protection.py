"""Which paths an edit may not touch: ``.git`` ever, CI and agent configuration when a model asks.

Names are compared the way the laxest file system would read them: without regard to case, Unicode form, the
code points HFS+ ignores, and the trailing dots, streams and short names of NTFS. These are the tricks that
git's own ``verify_path`` guards against.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from activities.edits.globs import compile_globs
from orchex.domain.errors import EditRefused
from orchex.domain.printing import legible

_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

# One component: protected at any depth. Two: a name inside a folder, at any depth.
_PROTECTED = """
    .github/workflows .github/actions .gitlab-ci.yml .gitlab/ci .circleci .travis.yml .drone.yml .buildkite
    .woodpecker .woodpecker.yml .forgejo/workflows .gitea/workflows jenkinsfile azure-pipelines.yml
    bitbucket-pipelines.yml appveyor.yml cloudbuild.yaml cloudbuild.yml

    agents.md agents.override.md claude.md claude.local.md gemini.md .mcp.json .claude .cursor .cursorrules
    .codex .gemini .windsurf .windsurfrules .clinerules .roo .roomodes .continue .kiro .junie .opencode
    opencode.json .agents .aider.conf.yml .github/copilot-instructions.md .github/instructions

    .husky .githooks .pre-commit-config.yaml .pre-commit-config.yml lefthook.yml lefthook.yaml .lefthook.yml
    .lefthook .gitmodules .envrc .vscode .idea .devcontainer
"""
_RULES = frozenset(tuple(name.split("/")) for name in _PROTECTED.split())
_FOLDERS_OF_RULES = frozenset(rule[0] for rule in _RULES if len(rule) > 1)


def canonical(component: str) -> str:
    """A path component as the laxest file system would compare it."""
    name = unicodedata.normalize("NFKC", _IGNORED_BY_HFS.sub("", component)).casefold()
    name = name.split(":", 1)[0].rstrip(". ")
    return ".git" if name == "git~1" else name


def is_git(component: str) -> bool:
    return any(canonical(part) == ".git" for part in component.split("\\"))


@lru_cache(maxsize=1 << 15)
def covers(parent: str, name: str, *, link: bool = False) -> bool:
    """Whether ``name`` in a folder called ``parent`` is protected from a model by its spelling.

    A symbolic link in the place of ``.github`` counts: it would put other workflows where the protected ones belong.
    """
    names = tuple(canonical(part) for part in name.split("\\"))
    if ".git" in names or (link and _FOLDERS_OF_RULES.intersection(names)):
        return True
    return _protected_by((canonical(parent.rpartition("\\")[2]), *names)[0 if parent else 1 :]) is not None


class Protection:
    """What one caller may write.

    ``trusted`` is the user's own word (a runbook): everything but ``.git``. Otherwise CI and agent
    configuration is protected too, unless one of the globs in ``owned`` matches the path *and* spells the
    protected name: ``**`` owns no ``AGENTS.md``, ``.github/workflows/*.yml`` owns the workflows.
    """

    def __init__(self, *, trusted: bool, owned: Sequence[str] = ()) -> None:
        self.trusted = trusted
        self._owned = [(_components(glob), compile_globs(["/".join(_components(glob))])) for glob in owned]

    def check(self, parts: tuple[str, ...]) -> None:
        """Raise EditRefused when the path of these components may not be written."""
        path = "/".join(parts)
        if any(is_git(part) for part in parts):
            raise EditRefused(f"{path}: git's own files are never edited", hint="Use git commands, not edits.")
        if self.trusted:
            return
        names = tuple(canonical(name) for part in parts for name in part.split("\\"))
        rule = _protected_by(names)
        if rule and not self._owns(parts, rule):
            raise EditRefused(
                f"{path}: protected, because {'/'.join(rule)} configures CI, agents or hooks",
                hint=f"If the stream is meant to edit it, say so in the manifest: owns: [{'/'.join(parts)}]",
            )

    @property
    def owns_anything(self) -> bool:
        return bool(self._owned)

    def unlocks(self, parts: tuple[str, ...]) -> bool:
        """Whether the stream owns this path, although its spelling protects it. Nobody owns what is git's."""
        if not self._owned or any(is_git(part) for part in parts):
            return False
        rule = _protected_by(tuple(canonical(name) for part in parts for name in part.split("\\")))
        return rule is not None and self._owns(parts, rule)

    def _owns(self, parts: tuple[str, ...], rule: tuple[str, ...]) -> bool:
        folded = legible("/".join(canonical(part) for part in parts))
        return any(rule[0] in names and spec.match_file(folded) for names, spec in self._owned)


def _components(glob: str) -> tuple[str, ...]:
    return tuple(canonical(part) for part in glob.split("/"))


def _protected_by(names: tuple[str, ...]) -> tuple[str, ...] | None:
    rules = [*((name,) for name in names), *pairwise(names)]
    return next((rule for rule in rules if rule in _RULES), None)
