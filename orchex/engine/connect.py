"""Connecting to Temporal: the embedded server's address, or Temporal's own environment configuration."""

from collections.abc import Sequence

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from orchex.domain.errors import StackError
from orchex.engine.encryption import data_converter


async def connect(
    address: str | None = None, namespace: str | None = None, *, keys: Sequence[bytes] = (), lazy: bool = False
) -> Client:
    """A client for ``address``; without one, for what ``TEMPORAL_ADDRESS`` and its siblings say.

    With ``keys``, what it sends is sealed with the first of them.

    A ``lazy`` one connects with its first call, and again whenever that comes to nothing. Any other raises
    :class:`StackError` when no server answers.
    """
    converter = data_converter(keys)
    try:
        if address is not None:
            return await Client.connect(address, namespace=namespace or "default", data_converter=converter, lazy=lazy)
        config = ClientConfig.load_client_connect_config()
        return await Client.connect(**config, data_converter=converter, lazy=lazy)
    except RuntimeError as error:
        target = address or config.get("target_host", "localhost:7233")
        raise StackError(
            f"Temporal does not answer at {target}: {error}",
            hint="Check TEMPORAL_ADDRESS and its siblings, or unset them to use the embedded server.",
        ) from error
