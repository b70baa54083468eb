"""A kernel of this very interpreter: private, off the network, warm by the time it is wanted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidentnb.notebook import store

# What the stock notebooks import anyway; loaded while the executing process is still busy with papermill or with reading logs.
_WARM = "for _ in ('incidentnb.case', 'duckdb', 'pandas', 'matplotlib.figure'): __import__(_)"
_PREFIX = "incidentnb-kernel-"
_LONGEST_BASE = 60  # a socket's whole path has room for 107 bytes


@contextlib.contextmanager
def warm_kernel(cwd: Path | None = None) -> Iterator[Any]:
    """A kernel of this very interpreter, started now, so that it is warm when ``execute`` wants it; stopped at the end.

    It needs no installed kernelspec, its channels are sockets in a private folder and no network ports (ipykernel keeps one pipe on
    loopback for the output of forked processes), it keeps no history and reads no start-up files of the user, and its temporary files
    go with it, however it ends.

    Args:
        cwd: the folder that it runs in; by default the current one.
    """
    import shutil
    import tempfile

    from ipykernel.kernelspec import write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    base = Path(tempfile.gettempdir())
    base = base if len(os.fsencode(base)) < _LONGEST_BASE else Path("/tmp")
    store.sweep(base, _PREFIX)
    private = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    handle = store.locked(private)
    clients: list[Any] = []
    try:
        write_kernel_spec(private / "kernels" / "python3")
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", connection_file=str(private / "k.json"),
                                     kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(private / "kernels")]))
        make_client = manager.client
        manager.client = lambda **how: clients.append(make_client(**how)) or clients[-1]  # papermill leaves its client open
        manager.cwd = (cwd or Path.cwd()).resolve()
        (private / "tmp").mkdir()
        own = {"IPYTHONDIR": str(private / "ipython"), "JUPYTER_RUNTIME_DIR": str(private), "TMPDIR": str(private / "tmp")}
        run_sync(manager.start_kernel)(cwd=str(manager.cwd), env={**os.environ, **own}, extra_arguments=[
            "--HistoryManager.hist_file=:memory:", f"--IPKernelApp.exec_lines={_WARM}"])
        try:
            yield manager
        finally:
            for client in clients:
                client.stop_channels()
            run_sync(manager.shutdown_kernel)(now=True)
    finally:
        shutil.rmtree(private, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def drop_tasks() -> None:
    """Cancel what an interrupted nbclient left waiting, so that it does not complain later about the kernel's end."""
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    if loop.is_running():  # the loop of a host, with tasks of its own
        return
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
