"""``python -m vastserver``: serve until interrupted, and say how to connect."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path
from types import FrameType

from vastserver.server import VastServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vastserver", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 means any that is free")
    parser.add_argument("--data", type=Path, help="a folder that keeps what is committed")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds per request")
    parser.add_argument("--version", default="5.5.0.0", help="the release to be taken for")
    parser.add_argument("--bucket", action="append", default=[], help="one more bucket")
    options = parser.parse_args()
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with VastServer(options.data, options.port, options.latency / 1000, options.version) as server:
        for bucket in options.bucket:
            server.add_bucket(bucket)
        print(f"export VAST_DB_ENDPOINT={server.endpoint}")
        print(f"export VAST_DB_ACCESS_KEY={server.access_key}")
        print(f"export VAST_DB_SECRET_KEY={server.secret_key}")
        print(f"export VAST_DB_BUCKET={server.bucket}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
