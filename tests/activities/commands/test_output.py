import random
import tracemalloc
from pathlib import Path

import pytest

from activities.commands.output import HEAD_BYTES, LOG_BYTES, TAIL_BYTES, OutputCapture
from activities.commands.redaction import redact
from orchex.domain.errors import StorageError

PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA7\n" * 20 + "-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJlLW9mLWl0"
TOKENS = [
    "orchex_sk_0123456789abcdef",
    "sk-ant-api03-0123456789abcdef",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "AKIAIOSFODNN7EXAMPLE",
    JWT,
    PEM,
]


def captured(*parts: bytes, secrets: tuple[str, ...] = (), log: Path | None = None) -> str:
    capture = OutputCapture(secrets=secrets, log_path=log)
    for part in parts:
        capture.feed(part)
    capture.finish()
    return capture.text()


@pytest.mark.parametrize("token", TOKENS)
def test_known_kinds_of_keys_are_redacted_wherever_the_output_is_parted(token: str) -> None:
    text = f"before {token} after\n".encode()
    for cut in range(len(text)):
        assert captured(text[:cut], text[cut:]) == "before [redacted] after\n"


def test_a_secret_value_is_redacted_wherever_the_output_is_parted() -> None:
    text = b"x=top secret value;\nnext"
    for cut in range(len(text)):
        assert captured(text[:cut], text[cut:], secrets=("top secret value",)) == "x=[redacted];\nnext"


def test_a_secret_value_is_redacted_in_a_line_without_end() -> None:
    secret = "s3cr3t-value-of-some-length"
    random.seed(4)
    for _ in range(10):
        text = ("-" * random.randint(60_000, 90_000) + secret) * 5
        cuts = sorted(random.sample(range(len(text)), 40))
        parts = [text[a:b].encode() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        capture: list[bytes] = []
        output = OutputCapture(secrets=(secret,), on_output=capture.append)
        for part in parts:
            output.feed(part)
        output.finish()
        assert b"".join(capture).decode() == text.replace(secret, "[redacted]")


def test_every_line_of_a_secret_of_many_lines_is_redacted() -> None:
    secret = "first-line-of-it\nsecond-line-of-it"
    assert captured(b"a second-line-of-it\nfirst-line-of-it b", secrets=(secret,)) == "a [redacted]\n[redacted] b"


def test_colours_inside_a_secret_do_not_hide_it() -> None:
    assert captured(b"top\x1b[1m-secret\x1b[0m-value", secrets=("top-secret-value",)) == "[redacted]"


def test_one_key_longer_than_any_line_leaves_no_end_behind() -> None:
    text = captured(b"sk-ant-", b"abcdefgh" * 40_000, b"tailtail" * 10, b" fine\n")
    assert text == "[redacted] fine\n"


def test_a_mention_of_a_private_key_does_not_swallow_the_rest_of_the_output() -> None:
    text = captured(b"-----BEGIN PRIVATE KEY-----\n", b"just talk about it\n" * 2000, b"the end\n")
    assert text.endswith("the end\n")


def test_a_run_of_token_beginnings_is_redacted_in_linear_time() -> None:
    assert redact("eyJ" * 300_000) == "eyJ" * 300_000


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b"\x1b[31mred\x1b[0m\n", "red\n"),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"),
        (b"10%\r20%\r\n", "10%\n20%\n"),
        (b"a\0b", "a\ufffdb"),
        (b"\xff\xed\xa0\x80", "\ufffd" * 4),
        (b"bell\x07 back\x08", "bell back"),
        ("naïve ✓".encode(), "naïve ✓"),
        (b"cut off \x1b[3", "cut off [3"),
    ],
)
def test_output_becomes_plain_text_wherever_it_is_parted(raw: bytes, plain: str) -> None:
    for cut in range(len(raw) + 1):
        text = captured(raw[:cut], raw[cut:])
        assert text == plain
        text.encode()


def test_head_and_tail_are_kept_and_the_bytes_between_are_counted() -> None:
    lines = b"".join(b"line %07d\n" % number for number in range(100_000))
    text = captured(lines)
    assert text.startswith("line 0000000\n")
    assert text.endswith("line 0099999\n")
    assert f"… {len(lines) - HEAD_BYTES - TAIL_BYTES:,} bytes left out …" in text


def test_short_output_is_kept_whole() -> None:
    text = "é" * ((HEAD_BYTES + TAIL_BYTES) // 2)
    assert captured(text.encode()) == text


def test_the_log_is_redacted_private_and_limited_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "1.log"
    line = b"a line with a top-secret-value in it\n"
    captured(*[line * 1000] * 500, b"the end\n", secrets=("top-secret-value",), log=log)
    text = log.read_bytes()
    assert log.stat().st_mode & 0o777 == 0o600
    assert LOG_BYTES < len(text) < LOG_BYTES + 400_000
    assert b"top-secret-value" not in text
    assert b"bytes left out: this log holds 10,485,760 bytes" in text
    assert text.endswith(b"the end\n")


def test_the_end_of_a_huge_output_is_redacted_too() -> None:
    filler = b"0123456789abcde\n" * 65536
    text = captured(*[filler] * 14, PEM.encode(), b"\nsk-ant-0123456789 top-secret\n", secrets=("top-secret",))
    assert "MIIE" not in text
    assert text.endswith("[redacted]\n[redacted] [redacted]\n")


@pytest.mark.parametrize("shift", range(0, 200, 37))
def test_a_huge_line_of_secrets_shows_not_even_the_end_of_one(shift: int) -> None:
    secret = "top-" + "secret" * 33
    capture = OutputCapture(secrets=(secret,), log_bytes=1000)
    capture.feed(b"x" * 2000 + b"\n" + b"-" * shift)
    for _ in range(10_000):
        capture.feed(f"{secret},.;:".encode())
    capture.finish()
    _, _, tail = capture.text().partition(" left out …\n")
    assert tail.count("[redacted]") > 500
    assert "secret" not in tail


def test_a_private_key_that_began_in_the_part_left_out_is_redacted_to_its_end() -> None:
    capture = OutputCapture(log_bytes=1000)
    capture.feed(b"x" * 2000 + b"\n")
    for _ in range(100_000):
        capture.feed(b"MIIEowIBAAKCAQEA7\n")
    capture.feed(b"-----END PRIVATE KEY-----\nthe end\n")
    capture.finish()
    assert capture.text().endswith("left out …\n[redacted]\nthe end\n")


def test_output_without_end_takes_constant_memory() -> None:
    capture = OutputCapture(secrets=("top-secret-value",))
    chunk = b"some output of a command that says a lot\n" * 1600
    tracemalloc.start()
    try:
        for _ in range(200_000_000 // len(chunk)):
            capture.feed(chunk)
        capture.finish()
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert capture.total > 199_000_000


def test_a_log_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        OutputCapture(log_path=tmp_path / "file" / "log")
