"""The spawner: one small single-threaded process per worker, from which commands are forked.

A worker has threads and hundreds of megabytes, so forking it is neither safe nor quick; this process has neither.
Each message of one byte brings a descriptor, the control socket of a new guardian. It ends when the worker closes the
socket or dies. Guardians do not depend on it.

Standard library only.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback

from activities.commands import guardian, syscalls


def serve(descriptor: int) -> None:
    requests = socket.socket(fileno=descriptor)
    requests.set_inheritable(False)
    syscalls.name_process("orchex-spawner")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The kernel then reaps the guardians by itself (POSIX sigaction, SA_NOCLDWAIT).
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Objects that no collection touches keep their pages shared with every guardian.
    gc.freeze()
    gc.disable()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        if not message:
            return
        for control in descriptors:
            # A command that inherited it would keep the worker from seeing that its guardian died.
            os.set_inheritable(control, False)
            _spawn(requests, control)
            os.close(control)


def _spawn(requests: socket.socket, control: int) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        refusal = {"refused": "fork", "errno": error.errno, "message": str(error)}
        os.write(control, json.dumps(refusal).encode() + b"\n")
        return
    if pid != 0:
        return
    try:
        requests.close()
        guardian.guard(socket.socket(fileno=control))
    except BaseException:  # noqa: BLE001  the fork must end here whatever happens
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(0)
