"""Moto's server, which ends when the process that started it is gone, even by a SIGKILL."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time


def _outlive_nobody(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    """Serve on the loopback port of the first argument for the process of the second."""
    port, parent = int(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()
    # AMIs of Amazon are 1,300, and every listing without an owner would go through them.
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)


if __name__ == "__main__":
    main()
