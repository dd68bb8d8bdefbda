"""Connecting to Temporal: the embedded server's address, or Temporal's own environment configuration."""

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

from orchex.domain.errors import StackError


async def connect(address: str | None = None, namespace: str | None = None, *, lazy: bool = False) -> Client:
    """A client for ``address``; without one, for what ``TEMPORAL_ADDRESS`` and its siblings say.

    A ``lazy`` one connects with its first call, and again whenever that comes to nothing. Any other raises
    :class:`StackError` when no server answers.
    """
    try:
        if address is not None:
            return await Client.connect(
                address, namespace=namespace or "default", data_converter=pydantic_data_converter, lazy=lazy
            )
        config = ClientConfig.load_client_connect_config()
        return await Client.connect(**config, data_converter=pydantic_data_converter, lazy=lazy)
    except RuntimeError as error:
        target = address or config.get("target_host", "localhost:7233")
        raise StackError(
            f"Temporal does not answer at {target}: {error}",
            hint="Check TEMPORAL_ADDRESS and its siblings, or unset them to use the embedded server.",
        ) from error
