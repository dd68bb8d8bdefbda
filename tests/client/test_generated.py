from tests.client.generate_sync import TARGET, generated


def test_the_synchronous_client_is_generated_from_the_other() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*.py")}
    assert there == generated(), "run `python -m tests.client.generate_sync`"


def test_nothing_asynchronous_is_left_in_it() -> None:
    for name, text in generated().items():
        code = text.partition("\n")[2]
        assert not any(word in code for word in ("async", "await", "aio", "Async")), name
