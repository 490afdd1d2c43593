"""``python -m sandbox.aws --home DIR``: one simulated AWS, in the foreground."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.aws.rules import Delays
from sandbox.aws.server import Sandbox, start_in_thread


def main() -> int:
    """Serve until SIGTERM or SIGINT; print one line of JSON once ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="certificate, credentials, control token, log")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--region", action="append", help="where things stand at the start (eu-west-1)")
    parser.add_argument("--delay", action="append", default=[], metavar="KIND:MS", help="see rules.Delays")
    parser.add_argument("--buckets", choices=["off", "aws"], default="off", help="enforce EC2's token buckets")
    parser.add_argument("--stop-on-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    delays = Delays()
    for text in options.delay:
        kind, _, ms = text.partition(":")
        if kind not in Delays.__slots__ or not ms.isdigit():
            parser.error(f"--delay {text}: KIND is one of {', '.join(Delays.__slots__)}, MS a number")
        setattr(delays, kind, int(ms))
    try:
        sandbox = Sandbox(options.home, options.port, regions=tuple(options.region or ["eu-west-1"]), delays=delays)
    except (OSError, RuntimeError) as error:
        print(f"escale-aws: {error}", file=sys.stderr)
        return 1
    if options.buckets == "aws":
        sandbox.rules.order({"buckets": "aws"})
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    start_in_thread(sandbox)
    key = next(iter(sandbox.accounts.keys.values()))
    ready = {
        "name": "aws",
        "url": f"https://127.0.0.1:{sandbox.port}",
        "region": sandbox.regions[0],
        "thumbprint_sha256": sandbox.certificates.thumbprint,
        "ca_file": str(sandbox.certificates.ca),
        "control_url": f"https://127.0.0.1:{sandbox.port}/_sandbox",
        "control_token_file": str(sandbox.home / "control-token"),
        "credentials_file": str(sandbox.accounts.file),
        "username": key.id,
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)
    if options.stop_on_eof:
        threading.Thread(target=_wait_for_eof, args=(ended,), daemon=True).start()
    ended.wait()
    sandbox.close()
    return 0


def _wait_for_eof(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
