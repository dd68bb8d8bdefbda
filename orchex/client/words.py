"""Why a request got no answer, in words: the HTTP library's own errors are often empty."""

import httpx2

_WORDS: tuple[tuple[type[httpx2.RequestError], str], ...] = (
    (httpx2.ConnectTimeout, "it could not be reached in time"),
    (httpx2.ReadTimeout, "it said nothing for too long"),
    (httpx2.WriteTimeout, "it did not take the request in time"),
    (httpx2.PoolTimeout, "too many requests of this client wait already"),
    (httpx2.RemoteProtocolError, "it hung up in the middle of its answer"),
    (httpx2.ProxyError, "the proxy refused"),
)


def reason(error: httpx2.RequestError) -> str:
    text = str(error)
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return f"{words} ({text})" if text else words
    return text or type(error).__name__
