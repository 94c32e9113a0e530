"""MindSpore's launcher as a process that ends with ours: `python -m trainer.distributed.msrun PARENT ARGUMENTS...`.

On SIGTERM msrun leaves its processes behind and on Ctrl-C it ends with code 0. So it runs in a session of its own, is
only ever killed, and its processes ask the kernel to be killed with it.
"""

import os
import sys

from shared.system.linux import die_with_parent

PARENT_OF_RANKS = "CAPTCHA_MSRUN_PID"


def main() -> None:
    """Becomes msrun."""
    die_with_parent(int(sys.argv.pop(1)))
    os.environ[PARENT_OF_RANKS] = str(os.getpid())
    from mindspore.parallel.cluster.run import main as msrun

    msrun()


if __name__ == "__main__":
    main()
