"""The private repository of a project: where it is, and how it is made."""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from activities.workspaces.excludes import exclude_text
from activities.workspaces.git import PrivateGit, run_git
from activities.workspaces.layout import Layout, admitted, layout_of
from activities.workspaces.locks import locked
from activities.workspaces.objects import ObjectStore, storage_error
from orchex.domain.errors import NotFound, StorageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ATTRIBUTES = b"* -text -filter -ident !working-tree-encoding !eol !merge\n"
"""Bytes are bytes: whatever ``.gitattributes`` say, nothing is converted on the way in or out."""

_CONFIG = """[core]
\trepositoryFormatVersion = {version}
\tbare = true
\tfileMode = true
\tsymlinks = true
\tignoreCase = false
\tprecomposeUnicode = false
\tprotectHFS = false
\tprotectNTFS = false
\tautocrlf = false
\tsafecrlf = false
\tfsmonitor = false
\tuntrackedCache = false
\tsplitIndex = false
\thooksPath = /dev/null
\tattributesFile = /dev/null
\texcludesFile = {excludes}
\tlooseCompression = 1
\tlogAllRefUpdates = false
{extensions}[index]
\tsparse = false
[gc]
\tauto = 0
\tpruneExpire = never
[maintenance]
\tauto = false
[commit]
\tgpgSign = false
[merge]
\tdirectoryRenames = false
\trenormalize = false
[advice]
\taddEmbeddedRepo = false
"""


@dataclass(frozen=True)
class ProjectRepository:
    """The private repository of one project, under ``<home>/projects/<id>/``."""

    id: str
    directory: Path
    layout: Layout

    @property
    def folder(self) -> Path:
        """The project, as a real path."""
        return Path(self.layout.folder)

    @property
    def top(self) -> Path:
        """The work tree that commits describe; the project is ``prefix`` below it."""
        return Path(self.layout.top)

    @property
    def prefix(self) -> str:
        return self.layout.prefix

    @cached_property
    def git(self) -> PrivateGit:
        return PrivateGit(self.directory / "repo.git")

    @cached_property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.git, self.layout.object_format)

    @property
    def mounted_binds(self) -> tuple[tuple[str, str], ...]:
        """What to bind (source, target) before something is mounted over ``top``: the borrowed objects, elsewhere.

        Else the mount would hide the person's object database from git commands inside. Empty where it lies outside.
        """
        if not Path(self.layout.objects).is_relative_to(self.top) or not self.layout.has_git:
            return ()
        alternates = self.git.directory / "objects" / "info" / "alternates"
        return (
            (self.layout.objects, str(self.directory / "borrowed")),
            (str(self.directory / "borrowed.alternates"), str(alternates)),
        )

    def workspace_directory(self, execution: str, stream: str) -> Path:
        return self.execution_directory(execution) / checked_name(stream)

    def execution_directory(self, execution: str) -> Path:
        return self.directory / "workspaces" / checked_name(execution)


def checked_name(name: str) -> str:
    """``name`` if it can be a folder and a part of a ref; raises ValueError otherwise."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a name of an execution or a stream: {name!r}")
    return name


def open_project(home: Path, folder: Path) -> ProjectRepository:
    """The private repository of ``folder``; made on first use, later brought up to date with the person's rules.

    Raises ProjectRefused for a folder that cannot be worked on, StorageError when ``home`` cannot be written.
    """
    home = home.absolute()
    real = admitted(folder, home)
    layout = layout_of(real)
    identity = hashlib.sha256(os.fsencode(real) + layout.object_format.encode()).hexdigest()[:12]
    slug = re.sub(r"[^a-z0-9]+", "-", real.name.lower()).strip("-")[:40] or "project"
    repository = ProjectRepository(f"{slug}-{identity}", home / "projects" / f"{slug}-{identity}", layout)
    try:
        repository.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(repository.directory / "open.lock"):
            _establish(repository)
    except OSError as error:
        raise storage_error(error) from error
    return repository


def load_project(home: Path, project_id: str) -> ProjectRepository:
    """A project that ``open_project`` made before, without any git process. Raises NotFound."""
    directory = home.absolute() / "projects" / checked_name(project_id)
    try:
        layout = Layout(**json.loads((directory / "project.json").read_text()))
    except FileNotFoundError as error:
        raise NotFound(f"no project {project_id} under {home}") from error
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{directory / 'project.json'} cannot be read: {error}") from error
    return ProjectRepository(project_id, directory, layout)


def _establish(repository: ProjectRepository) -> None:
    directory, layout = repository.git.directory, repository.layout
    if not (directory / "HEAD").exists():
        form = f"--object-format={layout.object_format}"
        run_git("init", "-q", "--bare", "--template=", form, directory, environment=repository.git.environment())
    (directory / "info").mkdir(exist_ok=True)
    (directory / "objects" / "info").mkdir(parents=True, exist_ok=True)
    sha256 = layout.object_format == "sha256"
    extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    text = _CONFIG.format(version=int(sha256), excludes=_quoted(layout.excludes_file), extensions=extensions)
    write_if_changed(directory / "config", os.fsencode(text))
    write_if_changed(directory / "info" / "attributes", _ATTRIBUTES)
    write_if_changed(directory / "objects" / "info" / "alternates", os.fsencode(_borrowed(layout.objects)))
    mounted = repository.directory / "borrowed"
    mounted.mkdir(exist_ok=True)
    write_if_changed(repository.directory / "borrowed.alternates", os.fsencode(_borrowed(str(mounted))))
    refresh_rules(repository)
    write_if_changed(repository.directory / "project.json", json.dumps(asdict(layout)).encode())


def refresh_rules(repository: ProjectRepository) -> None:
    """Bring the private repository's ``info/exclude`` up to date with the person's own."""
    layout = repository.layout
    persons = b""
    if layout.exclude and Path(layout.exclude).is_file():
        persons = Path(layout.exclude).read_bytes()
    home = repository.directory.parent.parent
    ours = os.path.relpath(home, repository.top) if home.is_relative_to(repository.top) else None
    text = exclude_text(persons, has_git=layout.has_git, ours=ours)
    write_if_changed(repository.git.directory / "info" / "exclude", text)


def _borrowed(objects: str) -> str:
    return f"{_quoted(objects)}\n" if objects else ""


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def write_if_changed(path: Path, content: bytes) -> None:
    """Replace ``path`` atomically, and not at all when it holds ``content`` already."""
    if path.is_file() and path.read_bytes() == content:
        return
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
