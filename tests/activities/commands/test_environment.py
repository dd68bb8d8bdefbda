import pytest

from activities.commands.environment import command_environment, secret_values

SECRET = "canary-of-a-secret"


def environment(inherited: dict[str, str], *pass_env: str) -> dict[str, str]:
    return command_environment(
        inherited, execution="exec_1", stream="api", step_id="exec_1/api/4", label="staging", pass_env=pass_env
    )


@pytest.mark.parametrize(
    "name",
    [
        "ORCHEX_API_KEY",
        "ORCHEX_DATABASE_URL",
        "ORCHEX_MARKER",
        "ORCHEX_STEP_ID",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_CUSTOM_HEADERS",
        "CLAUDE_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "TEMPORAL_API_KEY",
        "TEMPORAL_TLS_CLIENT_KEY_DATA",
        "TEMPORAL_TLS_CLIENT_CERT_PATH",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_WORK_TREE",
        "PWD",
    ],
)
def test_a_secret_of_ours_and_git_s_location_do_not_pass(name: str) -> None:
    assert SECRET not in environment({name: SECRET}).values()


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "VIRTUAL_ENV", "GIT_AUTHOR_NAME", "TEMPORAL_ADDRESS"],
)
def test_the_user_s_own_variables_pass(name: str) -> None:
    assert environment({name: SECRET})[name] == SECRET


def test_pass_env_lets_a_named_secret_through() -> None:
    both = {"ANTHROPIC_API_KEY": SECRET, "ANTHROPIC_AUTH_TOKEN": SECRET}
    passed = environment(both, "ANTHROPIC_API_KEY")
    assert passed["ANTHROPIC_API_KEY"] == SECRET
    assert "ANTHROPIC_AUTH_TOKEN" not in passed


def test_pass_env_cannot_point_git_at_the_user_s_repository() -> None:
    assert "GIT_DIR" not in environment({"GIT_DIR": "/repo/.git"}, "GIT_DIR")


def test_a_command_is_told_its_execution_step_and_environment() -> None:
    assert environment({"ORCHEX_STEP_ID": "theirs"}, "ORCHEX_STEP_ID") == {
        "ORCHEX_EXECUTION_ID": "exec_1",
        "ORCHEX_STEP_ID": "exec_1/api/4",
        "ORCHEX_ENVIRONMENT": "staging",
        "ORCHEX_MARKER": "exec_1/api",
    }


def test_the_environment_of_this_process_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "CANARY"):
        monkeypatch.setenv(name, SECRET)
    assert SECRET not in environment({}).values()


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "GITHUB_TOKEN",
        "PGPASSWORD",
        "CLIENT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "db_password",
        "DSN",
        "GOOGLE_CREDENTIALS",
    ],
)
def test_values_under_secret_names_are_secrets(name: str) -> None:
    assert secret_values({name: SECRET}) == [SECRET]


def test_a_password_in_a_url_is_a_secret_under_any_name() -> None:
    assert secret_values({"SOME_URL": "postgres://me:hunter2hunter2@db/x"}) == ["hunter2hunter2"]


def test_where_something_is_opens_nothing() -> None:
    where = {
        "AUTH_SERVICE_HOST": "auth.example.org",
        "TOKEN_FILE": "/run/token-file",
        "SSH_AUTH_SOCK": "/tmp/ssh/agent",
    }
    assert secret_values(where) == []


def test_words_of_many_projects_are_no_secrets() -> None:
    assert secret_values({"PGPASSWORD": "postgres", "DATABASE_URL": "postgres://postgres:postgres@localhost/x"}) == []


def test_ordinary_and_short_values_are_no_secrets() -> None:
    assert (
        secret_values({"PATH": "/usr/bin:/bin", "PWD": "/home/somebody", "KEYBOARD": "qwertyuiop", "API_KEY": "short"})
        == []
    )
