"""What kind of failure a command met, and whether it is the one from before, by what the tools really say."""

import pytest

from activities.commands.spec import CommandOutcome
from activities.healing import CATEGORIES, category_of, signature_of


def outcome(output: str, *, exit_code: int = 1, timed_out: bool = False, signal: int | None = None) -> CommandOutcome:
    return CommandOutcome(
        exit_code=None if timed_out else exit_code,
        signal=signal,
        timed_out=timed_out,
        duration_ms=10,
        output=output,
        output_bytes=len(output),
        leftovers=0,
        survivors=0,
        log_path=None,
    )


PYTEST = """\
============================= test session starts ==============================
collected 3 items

tests/test_calc.py .F.                                                   [100%]

=================================== FAILURES ===================================
___________________________________ test_add ___________________________________

    def test_add():
>       assert add(2, 3) == 5
E       assert 6 == 5

tests/test_calc.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_calc.py::test_add - assert 6 == 5
========================= 1 failed, 2 passed in 0.03s =========================
"""
PYTEST_IMPORT = """\
==================================== ERRORS ====================================
_____________________ ERROR collecting tests/test_calc.py ______________________
ImportError while importing test module '/work/tests/test_calc.py'.
E   ModuleNotFoundError: No module named 'calc'
=========================== short test summary info ============================
ERROR tests/test_calc.py
!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
"""
PYTEST_SYNTAX = """\
E     File "/work/calc.py", line 1
E       def add(a, b)
E                    ^
E   SyntaxError: expected ':'
"""
UNITTEST = """\
F
======================================================================
FAIL: test_add (test_calc.Adding.test_add)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/work/test_calc.py", line 7, in test_add
    self.assertEqual(add(2, 3), 5)
AssertionError: 6 != 5

----------------------------------------------------------------------
Ran 1 test in 0.001s

FAILED (failures=1)
"""
JEST = """\
FAIL src/sum.test.js
  ✕ adds 1 + 2 to equal 3 (3 ms)

  ● adds 1 + 2 to equal 3

    expect(received).toBe(expected) // Object.is equality

    Expected: 3
    Received: -1

Tests:       1 failed, 1 total
Time:        0.412 s
"""
VITEST = """\
 ❯ src/sum.test.ts (1)
   × adds 1 + 2 to equal 3
AssertionError: expected -1 to be 3 // Object.is equality
 Test Files  1 failed (1)
      Tests  1 failed (1)
   Duration  312ms
"""
TSC = """\
src/index.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
"""
TSC_PRETTY = "src/index.ts:3:7 - error TS2322: Type 'string' is not assignable to type 'number'.\n\nFound 1 error.\n"
TSC_SYNTAX = "src/index.ts(3,1): error TS1005: ';' expected.\n"
ESLINT = """\
/work/src/index.js
  3:7  error  'x' is assigned a value but never used  no-unused-vars

✖ 1 problem (1 error, 0 warnings)
"""
ESLINT_PARSING = (
    "/work/src/index.js\n  3:7  error  Parsing error: Unexpected token }\n\n✖ 1 problem (1 error, 0 warnings)\n"
)
RUFF = "calc.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n[*] 1 fixable with the `--fix` option.\n"
RUFF_FULL = """\
F401 [*] `os` imported but unused
 --> calc.py:1:8
  |
1 | import os
  |        ^^
  |
help: Remove unused import: `os`

Found 1 error.
"""
RUFF_FORMAT = "Would reformat: calc.py\n1 file would be reformatted\n"
MYPY = (
    'calc.py:3: error: Incompatible return value type (got "str", expected "int")  [return-value]\n'
    "Found 1 error in 1 file (checked 1 source file)\n"
)
PYRIGHT = '/work/calc.py:3:12 - error: Type "str" is not assignable to return type "int" (reportReturnType)\n'
GO_TEST = "--- FAIL: TestAdd (0.00s)\n    calc_test.go:7: got 6, want 5\nFAIL\nFAIL\texample.org/calc\t0.002s\nFAIL\n"
GO_BUILD = (
    '# example.org/calc\n./calc.go:4:9: cannot use "x" (untyped string constant) as int value in return statement\n'
)
GO_SYNTAX = "# example.org/calc\n./calc.go:4:1: syntax error: unexpected }, expected expression\n"
GO_VET = '# example.org/calc\n./calc.go:9:2: fmt.Printf format %d has arg "x" of wrong type string\n'
GO_MISSING = 'calc.go:3:8: cannot find package "example.org/none" in any of:\n'
CARGO = """\
error[E0308]: mismatched types
 --> src/lib.rs:2:5
  |
1 | fn add(a: i32, b: i32) -> i32 {
2 |     "x"
  |     ^^^ expected `i32`, found `&str`

error: could not compile `calc` (lib) due to 1 previous error
"""
CARGO_TEST = """\
running 1 test
test tests::adds ... FAILED

---- tests::adds stdout ----
thread 'tests::adds' panicked at src/lib.rs:12:9:
assertion `left == right` failed
  left: 6
 right: 5

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
error: test failed, to rerun pass `--lib`
"""
CARGO_SYNTAX = (
    "error: expected one of `!` or `::`, found `add`\n --> src/lib.rs:1:5\n\nerror: could not compile `calc`\n"
)
CLIPPY = "error: this loop never actually loops\n = note: `#[deny(clippy::never_loop)]` on by default\n"
NPM = "npm ERR! code ENOENT\nnpm ERR! syscall open\nnpm ERR! path /work/package.json\n"
NPM_NEW = 'npm error Missing script: "build"\n'
WEBPACK = "ERROR in ./src/index.js\nModule not found: Error: Can't resolve './none'\nwebpack 5 compiled\n"
MAKE = "make: *** No rule to make target 'x', needed by 'all'.  Stop.\n"
GCC = "/usr/bin/ld: main.o: in function `main':\nmain.c:(.text+0xa): undefined reference to `add'\n"
GCC_SYNTAX = "main.c:3:10: error: expected ';' before '}' token\n"
TRACEBACK = "Traceback (most recent call last):\n  File \"run.py\", line 3, in <module>\nKeyError: 'x'\n"
JAVAC = "A.java:3: error: ';' expected\n    int x = 1\n             ^\n1 error\n"
BASH = "bash: -c: line 1: syntax error near unexpected token `('\n"


@pytest.mark.parametrize(
    ("command", "output", "expected"),
    [
        pytest.param("pytest", PYTEST, "test", id="pytest"),
        pytest.param("pytest", PYTEST_IMPORT, "build", id="pytest, import"),
        pytest.param("pytest", PYTEST_SYNTAX, "syntax", id="pytest, syntax"),
        pytest.param("python -m unittest", UNITTEST, "test", id="unittest"),
        pytest.param("npx jest", JEST, "test", id="jest"),
        pytest.param("npx vitest run", VITEST, "test", id="vitest"),
        pytest.param("tsc", TSC, "type", id="tsc"),
        pytest.param("tsc --pretty", TSC_PRETTY, "type", id="tsc, pretty"),
        pytest.param("tsc", TSC_SYNTAX, "syntax", id="tsc, syntax"),
        pytest.param("npm run lint", ESLINT, "lint", id="eslint"),
        pytest.param("npm run lint", ESLINT_PARSING, "syntax", id="eslint, parsing"),
        pytest.param("make lint", RUFF, "lint", id="ruff"),
        pytest.param("ruff check .", RUFF_FULL, "lint", id="ruff, in full"),
        pytest.param("make fmt", RUFF_FORMAT, "lint", id="ruff format"),
        pytest.param("make types", MYPY, "type", id="mypy"),
        pytest.param("make check", MYPY, "type", id="mypy, of another name"),
        pytest.param("pyright", PYRIGHT, "type", id="pyright"),
        pytest.param("go test ./...", GO_TEST, "test", id="go test"),
        pytest.param("go build ./...", GO_BUILD, "type", id="go build, type"),
        pytest.param("go build ./...", GO_SYNTAX, "syntax", id="go build, syntax"),
        pytest.param("go vet ./...", GO_VET, "lint", id="go vet"),
        pytest.param("go build", GO_MISSING, "build", id="go build, package"),
        pytest.param("cargo build", CARGO, "type", id="cargo build"),
        pytest.param("cargo test", CARGO_TEST, "test", id="cargo test"),
        pytest.param("cargo build", CARGO_SYNTAX, "syntax", id="cargo build, syntax"),
        pytest.param("cargo clippy", CLIPPY, "lint", id="clippy"),
        pytest.param("npm install", NPM, "build", id="npm"),
        pytest.param("npm run build", NPM_NEW, "build", id="npm, newer"),
        pytest.param("npm run build", WEBPACK, "build", id="webpack"),
        pytest.param("make", MAKE, "build", id="make"),
        pytest.param("make", GCC, "build", id="linker"),
        pytest.param("make", GCC_SYNTAX, "syntax", id="gcc, syntax"),
        pytest.param("javac A.java", JAVAC, "syntax", id="javac"),
        pytest.param("./all", "3 examples, 1 failure\n", "test", id="rspec"),
        pytest.param("./all", "3 examples, 0 failures\n", "runtime", id="rspec that passed"),
        pytest.param("./all", "Tests: 3, Assertions: 3, Failures: 1.\n", "test", id="phpunit"),
        pytest.param("./run.sh", TRACEBACK, "runtime", id="traceback"),
        pytest.param("bash run", BASH, "syntax", id="bash"),
        pytest.param("./deploy", "", "runtime", id="nothing said"),
        pytest.param("npm test", "", "test", id="nothing said by tests"),
        pytest.param("make typecheck", "", "type", id="nothing said by types"),
    ],
)
def test_a_failure_is_of_the_kind_that_the_tool_says(command: str, output: str, expected: str) -> None:
    assert expected in CATEGORIES
    assert category_of(command, outcome(output)) == expected


NAMING = """\
ruff check .
All checks passed!
npx eslint src
mypy
Success: no issues found in 12 source files
python -m pytest
plugins: mypy-testing-0.1, ruff-0.5
"""


def test_tools_that_are_named_and_did_not_fail_do_not_count() -> None:
    """What `make check` says when only the last of many fails."""
    assert category_of("make check", outcome(NAMING + PYTEST)) == "test"
    assert category_of("make check", outcome(NAMING + TRACEBACK)) == "test"
    assert category_of("./all", outcome(NAMING + RUFF)) == "lint"


@pytest.mark.parametrize("piece", ["Expected ", "assertion ", "cannot use x as ", "error: [", "A1", "unexpected "])
def test_a_hostile_output_is_read_once(piece: str) -> None:
    """All that is kept of an output, in one line: looked through again from every place, it would take minutes."""
    category_of("x", outcome(piece * (64_000 // len(piece))))


def test_what_ran_out_of_time_did_so_whatever_it_said() -> None:
    assert category_of("pytest", outcome(PYTEST, timed_out=True)) == "timeout"


def same(one: str, other: str) -> bool:
    return signature_of(outcome(one)) == signature_of(outcome(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(PYTEST, PYTEST.replace("0.03s", "1.7s"), id="duration of pytest"),
        pytest.param(UNITTEST, UNITTEST.replace("0.001s", "0.2s"), id="duration of unittest"),
        pytest.param(JEST, JEST.replace("3 ms", "41 ms").replace("0.412 s", "2 s"), id="durations of jest"),
        pytest.param(VITEST, VITEST.replace("312ms", "1.20s"), id="duration of vitest"),
        pytest.param(GO_TEST, GO_TEST.replace("0.002s", "0.013s"), id="duration of go"),
        pytest.param("at 0x7f23a6680590", "at 0x7f0000000001", id="addresses"),
        pytest.param("in /tmp/pytest-1/x.py", "in /tmp/pytest-22/y/x.py", id="temporary paths"),
        pytest.param("2026-01-02 03:04:05 boom", "2026-11-25T22:01:09.123Z boom", id="dates"),
        pytest.param("[03:04:05] boom", "[22:01:09.5] boom", id="times"),
        pytest.param("pid 123 died", "pid 4567 died", id="process numbers"),
        pytest.param("port=1234", "port=45678", id="ports"),
        pytest.param("seed: 42", "seed: 7", id="seeds"),
        pytest.param("\x1b[31mboom\x1b[0m", "boom", id="colours"),
        pytest.param("a  boom\n\n\n", "a boom", id="blanks"),
    ],
)
def test_the_same_failure_at_another_time_and_place_is_the_same(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(PYTEST, PYTEST.replace("test_add", "test_mul"), id="another test"),
        pytest.param(PYTEST, PYTEST.replace("assert 6 == 5", "assert 7 == 5"), id="another value"),
        pytest.param(PYTEST, PYTEST.replace("test_calc.py:5", "test_calc.py:9"), id="another line"),
        pytest.param(UNITTEST, UNITTEST + "FAIL: test_mul\n", id="one more"),
        pytest.param(TSC, TSC.replace("(3,7)", "(8,1)"), id="another place"),
        pytest.param(MYPY, MYPY.replace("return-value", "arg-type"), id="another rule"),
        pytest.param("expected 4 items", "expected 5 items", id="another number"),
    ],
)
def test_another_failure_is_another(one: str, other: str) -> None:
    assert not same(one, other)


def test_how_it_ended_is_a_part_of_it() -> None:
    said = "boom"
    ends = [
        outcome(said, exit_code=1),
        outcome(said, exit_code=2),
        outcome(said, exit_code=0, signal=9),
        outcome(said, timed_out=True),
    ]
    assert len({signature_of(end) for end in ends}) == len(ends)


def test_any_bytes_have_a_signature() -> None:
    assert same("\udcff boom", "\udcff boom")
