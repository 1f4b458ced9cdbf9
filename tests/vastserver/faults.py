"""Faults on request: which kind, for which requests, how often.

server.faults.add(Fault("drop after", on="PUT transaction"))        the next commit's answer
server.faults.add(Fault("slow down", on="POST rows", table="files", times=3, after=1))
server.faults.chaos(seed=1, rate=0.05)                              anything, anywhere
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vastserver.request import Request

Kind = Literal[
    "latency",  # wait for ``seconds`` first
    "slow down",  # 503 with the code SlowDown
    "unavailable",  # 503 with another code
    "error",  # 500
    "drop before",  # the connection is closed, nothing is done
    "drop after",  # the work is done, then the connection is closed without an answer
    "cut",  # the connection is closed in the middle of the answer
    "failed frame",  # a query's answer says in its stream that the query failed
    "expire",  # the transaction is over before the request gets to it
    "hang",  # no answer until the client leaves
]

_HARMFUL: tuple[Kind, ...] = (
    "slow down", "unavailable", "error", "drop before", "drop after", "cut", "failed frame",
    "expire",
)  # fmt: skip


@dataclass
class Fault:
    """A rule. It looks at requests for ``on``, such as "GET data", or those that ``on`` is
    true for; ``table`` narrows that down. It passes over the first ``after`` of them, then
    strikes ``times`` times (always, if None) with a probability.
    """

    kind: Kind
    on: str | Callable[[Request], bool] = ""
    table: str | None = None
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    _seen: int = field(default=0, init=False)
    _struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def strikes(self, request: Request) -> bool:
        """Whether this request is hit; counts as one that was looked at."""
        if not self._matches(request) or self._struck == self.times:
            return False
        self._seen += 1
        if self._seen <= self.after or self._random.random() >= self.probability:
            return False
        self._struck += 1
        return True

    def _matches(self, request: Request) -> bool:
        if self.table not in (None, request.table):
            return False
        if callable(self.on):
            return self.on(request)
        return self.on in ("", f"{request.method} {request.command}")


class Faults:
    """The rules in force, and how often each kind of fault was injected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._chaos: tuple[random.Random, float, Sequence[Kind]] | None = None
        self.injected: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._rules.append(fault)

    def clear(self) -> None:
        """No more faults; ``injected`` starts anew."""
        with self._lock:
            self._rules.clear()
            self._chaos = None
            self.injected.clear()

    def chaos(self, seed: int, rate: float, kinds: Sequence[Kind] = _HARMFUL) -> None:
        """Hit every request with this probability; rate 0 ends it."""
        with self._lock:
            self._chaos = (random.Random(seed), rate, kinds) if rate else None

    def pick(self, request: Request) -> Fault | None:
        """The fault for this request: of the first rule that strikes, or of chaos."""
        with self._lock:
            fault = next((rule for rule in self._rules if rule.strikes(request)), None)
            if fault is None:
                fault = self._of_chaos(request)
            if fault is not None:
                self.injected[fault.kind] += 1
            return fault

    def _of_chaos(self, request: Request) -> Fault | None:
        if self._chaos is None:
            return None
        source, rate, kinds = self._chaos
        if source.random() >= rate:
            return None
        possible = [kind for kind in kinds if _is_possible(kind, request)]
        return Fault(source.choice(possible)) if possible else None


def _is_possible(kind: Kind, request: Request) -> bool:
    if kind in ("cut", "failed frame"):
        return (request.method, request.command) == ("GET", "data")
    return kind != "expire" or request.headers.get("tabular-txid", "0") != "0"
