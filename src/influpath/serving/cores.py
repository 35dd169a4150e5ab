"""Cores of the processor that planning has to itself.

The threads of the service share one interpreter, so a second core gains them little; where they
wander they only push planning aside, and cool the caches that it lives on.
"""

import os


def planning_cores(workers: int) -> tuple[int, ...]:
    """Return a core for each planning process.

    Args:
        workers: How many there are.

    Returns:
        The last of those that this process may use; none where no other would be left, or where
        the system does not say.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores[-workers:]) if len(cores) > workers else ()


def keep_to(*cores: int) -> None:
    """Let this thread, and what it starts from now on, use these cores alone."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def keep_off(cores: tuple[int, ...]) -> None:
    """Let this thread, and what it starts from now on, use all cores but these."""
    if cores:
        keep_to(*(os.sched_getaffinity(0) - set(cores)))
