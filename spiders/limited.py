"""Launcher: `python -m spiders.limited ADDRESS_SPACE CPU_SECONDS FILES FILE_BYTES PARENT -- COMMAND…` sets limits on itself,
then becomes the command. It exists because a thread cannot safely run code between fork and exec.

On Linux the command also dies with the thread that started it, so that a killed service leaves no crawl behind.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    space, cpu, files, size, parent = (int(number) for number in arguments[:5])
    wanted = ((resource.RLIMIT_AS, space), (resource.RLIMIT_NOFILE, files), (resource.RLIMIT_FSIZE, size))
    for kind, limit in wanted:
        _limit(kind, limit, limit)
    _limit(resource.RLIMIT_CPU, cpu, cpu + 5)  # SIGXCPU first, SIGKILL five seconds later
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the parent has ended already")
    os.execvp(arguments[6], arguments[6:])  # noqa: S606 (the command is ours, no shell)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Lower a limit; never try to raise one that is set already."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
