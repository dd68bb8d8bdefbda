"""The environment of a confined command is a list of what may pass."""

from activities.commands.sandbox.environment import confined_environment
from tests.activities.commands.sandbox.conftest import CANARY, House

SECRETS = {
    "ANTHROPIC_API_KEY": CANARY,
    "GITHUB_TOKEN": CANARY,
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "NPM_CONFIG__AUTH": CANARY,
    "DATABASE_URL": f"postgresql://ada:{CANARY}@db/shop",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "DOCKER_HOST": "unix:///var/run/docker.sock",
    "PIP_INDEX_URL": f"https://ada:{CANARY}@index.example.org/simple",
    "SOMETHING_NOBODY_THOUGHT_OF": CANARY,
    "LD_PRELOAD": "/tmp/evil.so",
    "BASH_ENV": "/tmp/evil.sh",
    "PYTHONSTARTUP": "/tmp/evil.py",
    "ORCHEX_SECRET_KEY": CANARY,
    "TEMPORAL_API_KEY": CANARY,
}
PASSES = {
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "TERM": "dumb",
    "TZ": "UTC",
    "CARGO_HOME": "/c",
    "GOPATH": "/g",
}


async def test_no_secret_is_in_it(house: House) -> None:
    house.environ.update(SECRETS)
    outcome = await house.sh("env; cat /proc/self/environ /proc/1/environ /proc/$PPID/environ; set")
    assert CANARY not in outcome.output
    for name in SECRETS:
        assert name not in outcome.output
    assert "ORCHEX_STEP_ID=step" in outcome.output


def test_toolchains_and_locale_pass_and_nothing_else_does() -> None:
    assert confined_environment({**PASSES, **SECRETS}, ()) == PASSES


def test_what_is_named_passes_whatever_it_holds() -> None:
    environment = {**PASSES, **SECRETS}
    assert confined_environment(environment, ("DATABASE_URL",)) == {**PASSES, "DATABASE_URL": SECRETS["DATABASE_URL"]}


def test_a_secret_does_not_pass_under_the_name_of_something_else() -> None:
    environment = {"GITHUB_TOKEN": CANARY, "GOFLAGS": f"-ldflags={CANARY}", "MAKEFLAGS": f"TOKEN={CANARY}", "CC": "gcc"}
    assert confined_environment(environment, ()) == {"CC": "gcc"}


async def test_the_home_is_empty_but_for_toolchains(house: House) -> None:
    outcome = await house.sh(
        "find ~ -type f -o -type l; tool; echo cache > ~/.cache-of-a-tool && cat ~/.cache-of-a-tool"
    )
    assert outcome.output.endswith("toolchain\ncache\n")
    assert ".ssh" not in outcome.output
    assert not (house.home / ".cache-of-a-tool").exists()
