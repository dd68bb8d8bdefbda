"""``orchex up``: the same stack in the foreground, until it is told to end."""

from collections.abc import Callable, Sequence

from orchex.domain.errors import StackError
from orchex.settings import Settings
from orchex.stack import activity
from orchex.stack.client import running_stack, stop_stack
from orchex.stack.endpoint import Endpoint
from orchex.stack.home import prepare_home
from orchex.stack.paths import StackPaths
from orchex.stack.preflight import prepare_launch
from orchex.stack.supervisor import supervise


def run_foreground(
    settings: Settings, on_ready: Callable[[Endpoint], None], *, worker: Sequence[str] = (), api: Sequence[str] = ()
) -> None:
    """Run the stack of the home in this process until SIGINT, SIGTERM or SIGHUP. It never leaves when idle.

    Must be called from the main thread. A stack in the background with nothing unfinished makes room for it; one that
    serves the API does not, for somebody keeps that in the foreground.
    ``worker`` replaces the worker's command line, for tests; ``api`` is the API's, which is left out when empty.

    Raises what ``ensure_stack`` raises, and ``StackError`` when another stack of the home is at work.
    """
    paths = StackPaths(settings.home)
    prepare_home(paths)
    launch = prepare_launch(settings, worker=tuple(worker), background=False, api=tuple(api))
    running = running_stack(settings)
    if running is not None and running.api_url is None and not activity.is_busy(paths):
        stop_stack(settings)
    if not supervise(launch, on_ready):
        running = running_stack(settings)
        serves = f", with its API at {running.api_url}" if running and running.api_url else ""
        raise StackError(
            f"A stack runs already under {settings.home}" + (f" (pid {running.pid}){serves}." if running else "."),
            hint="Use it as it is, end it with `kill` and its pid, or set another ORCHEX_HOME.",
        )
