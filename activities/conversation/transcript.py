"""The transcript of a step: a chain of exchanges in the blob store, known by the reference of its last one.

A workflow carries that one reference, so its history grows by the same few bytes for each turn, however long the
conversation is. Each message is a blob of its own.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from orchex.domain.turn import Message, StopReason, TurnResult
from orchex.store.blobs import BlobStore


class Exchange(BaseModel):
    """An answer of the model and what it was told in return; both are references, and either may be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    previous: str | None
    answer: str | None
    told: str | None


class Transcript:
    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def begin(self, message: Message) -> str:
        """A transcript that begins with what the model is told; its reference."""
        return self._put(Exchange(previous=None, answer=None, told=self._message(message)))

    def add(self, previous: str, answer: str, told: Message | None) -> str:
        """The transcript ``previous`` with one more exchange."""
        return self._put(Exchange(previous=previous, answer=answer, told=None if told is None else self._message(told)))

    def messages(self, transcript: str, *, without: StopReason | None = None) -> tuple[Message, ...]:
        """All that was said, in order, as the Messages API wants it; ``without`` exchanges whose answer ended so."""
        said: list[Message] = []
        for exchange in self.exchanges(transcript):
            if exchange.answer is not None:
                answer = self.answer(exchange.answer)
                if answer.stop_reason == without:
                    continue
                if answer.content:
                    said.append(Message(role="assistant", content=answer.content))
            if exchange.told is not None:
                said.append(Message.model_validate_json(self._blobs.get(exchange.told)))
        return tuple(_merged(said))

    def answer(self, ref: str) -> TurnResult:
        return TurnResult.model_validate_json(self._blobs.get(ref))

    def exchanges(self, transcript: str) -> Sequence[Exchange]:
        """Oldest first."""
        found: list[Exchange] = []
        ref: str | None = transcript
        while ref is not None:
            found.append(Exchange.model_validate_json(self._blobs.get(ref)))
            ref = found[-1].previous
        return found[::-1]

    def blobs(self, transcript: str) -> set[str]:
        """The references of the newest exchange: what its turn added."""
        newest = Exchange.model_validate_json(self._blobs.get(transcript))
        return {ref for ref in (transcript, newest.answer, newest.told) if ref is not None}

    def _message(self, message: Message) -> str:
        return self._blobs.put(message.model_dump_json().encode())

    def _put(self, exchange: Exchange) -> str:
        return self._blobs.put(exchange.model_dump_json().encode())


def _merged(said: Sequence[Message]) -> Iterator[Message]:
    """Neighbours of one role as one message: a turn that paused has nothing told in between."""
    last: Message | None = None
    for message in said:
        if last is not None and last.role == message.role:
            last = Message(role=last.role, content=(*last.content, *message.content))
        else:
            if last is not None:
                yield last
            last = message
    if last is not None:
        yield last
