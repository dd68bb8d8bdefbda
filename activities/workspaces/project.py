"""A project and its private repository: where they are, and how one is made from the other."""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from activities.workspaces.excludes import exclude_text
from activities.workspaces.git import (
    NOTHING_RUNS,
    GitFailed,
    PrivateGit,
    persons_environment,
    run_git,
)
from activities.workspaces.locks import locked
from activities.workspaces.objects import ObjectStore, storage_error
from orchex.domain.errors import NotFound, ProjectRefused, StorageError

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
class Layout:
    """Where a project lies. ``top`` is git's toplevel (without git the project itself), ``prefix`` the way down to it.

    ``index`` and ``exclude`` are the person's own files; empty without git. ``prefix`` is ``""`` or ends in ``/``.
    """

    folder: str
    top: str
    prefix: str
    object_format: str
    objects: str
    index: str
    exclude: str
    excludes_file: str

    @property
    def has_git(self) -> bool:
        return bool(self.objects)


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


def current_folder() -> Path:
    """Raises :class:`ProjectRefused` when there is none any more."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ProjectRefused(
            "the folder this was started in does not exist any more",
            hint="Change to one that does, or name the project.",
        ) from error


def find_project(start: Path) -> Path:
    """The git toplevel around ``start``, else ``start``. A toplevel that is ``$HOME`` or ``/`` does not count."""
    start = start.resolve()
    try:
        answer = _rev_parse(start, "--show-toplevel")
    except (GitFailed, OSError):
        return start
    top = Path(os.fsdecode(answer.rstrip(b"\n"))).resolve()
    return start if _too_wide(top) else top


def open_project(home: Path, folder: Path) -> ProjectRepository:
    """The private repository of ``folder``; made on first use, later brought up to date with the person's rules.

    Raises ProjectRefused for a folder that cannot be worked on, StorageError when ``home`` cannot be written.
    """
    home = home.absolute()
    real = admitted(folder, home)
    layout = _layout(real)
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


def admitted(folder: Path, home: Path) -> Path:
    """The real path of a folder that can be worked on. Raises :class:`ProjectRefused` for one that cannot."""
    hint = "Name the project's folder with --project."
    try:
        real = folder.resolve(strict=True)
        kind = real.is_dir()
    except FileNotFoundError as error:
        raise ProjectRefused(f"{folder} does not exist", hint=hint) from error
    except (OSError, RuntimeError) as error:
        raise ProjectRefused(f"{folder} cannot be reached: {error}", hint=hint) from error
    if not kind:
        raise ProjectRefused(f"{folder} is not a folder", hint=hint)
    if _too_wide(real):
        raise ProjectRefused(f"{real} is not worked on as a project: it holds everything you have", hint=hint)
    if real.is_relative_to(home.resolve()):
        raise ProjectRefused(f"{real} lies within Orchex's own home {home}", hint=hint)
    if not os.access(real, os.R_OK | os.X_OK):
        raise ProjectRefused(f"{real} cannot be read", hint="Give yourself read permission on it (chmod u+rx).")
    return real


def _too_wide(real: Path) -> bool:
    try:
        return Path.home().resolve().is_relative_to(real)
    except RuntimeError:
        return real == Path("/")


def _rev_parse(folder: Path, *questions: str) -> bytes:
    return run_git(
        *NOTHING_RUNS, "rev-parse", "--path-format=absolute", *questions, environment=persons_environment(), cwd=folder
    ).stdout


def _layout(real: Path) -> Layout:
    questions = ("--show-toplevel", "--git-path", "objects", "--git-path", "index", "--git-path", "info/exclude")
    try:
        answer = _rev_parse(real, *questions, "--show-object-format", "--show-prefix")
    except GitFailed as error:
        if "not a git repository" in error.stderr and not (real / ".git").is_file():
            return _without_git(real)
        raise ProjectRefused(
            f"git cannot work in {real}: {error.stderr.strip()}", hint="Mend what git says, or name another folder."
        ) from error
    fields = os.fsdecode(answer).split("\n")
    if len(fields) != 7:
        raise ProjectRefused(f"{real}: a path of its repository holds a line break", hint="Rename that folder.")
    top, objects, index, exclude, object_format, prefix, _ = fields
    if prefix and _ignored(real):
        return _without_git(real)
    return Layout(str(real), top, prefix, object_format, objects, index, exclude, _excludes_file(real))


def _without_git(real: Path) -> Layout:
    return Layout(str(real), str(real), "", "sha1", "", "", "", _excludes_file(real))


def _ignored(real: Path) -> bool:
    """A folder that the repository around it ignores is a project of its own, without git."""
    arguments = (*NOTHING_RUNS, "check-ignore", "-q", real)
    return run_git(*arguments, environment=persons_environment(), cwd=real, accept=(0, 1)).returncode == 0


def _excludes_file(real: Path) -> str:
    answer = run_git(
        *("config", "--type=path", "--get", "core.excludesFile"),
        environment=persons_environment(),
        cwd=real,
        accept=(0, 1),
    ).stdout
    if answer.strip():
        return str(real / os.fsdecode(answer.rstrip(b"\n")))
    configuration = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{configuration}/git/ignore"


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
