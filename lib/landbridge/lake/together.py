"""Several writes at once: most of a small commit is waiting for one thread of the driver."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def together(*jobs: Callable[[], object]) -> None:
    """Run the jobs side by side, and raise the first failure, in the order given, when all have ended.

    Jobs must not depend on one another.
    """
    with ThreadPoolExecutor(max_workers=len(jobs), thread_name_prefix="write") as pool:
        running = [pool.submit(job) for job in jobs]
    for job in running:
        job.result()
