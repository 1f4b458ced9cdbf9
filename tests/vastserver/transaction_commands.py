"""Transactions: begin, commit, roll back, keep alive; and the probe for the server's version."""

from __future__ import annotations

from vastserver.request import Reply, Request
from vastserver.service import Service


def begin(service: Service, request: Request) -> Reply:
    transaction = service.store.begin()
    return Reply(headers={"tabular-txid": str(transaction.txid)})


def commit(service: Service, request: Request) -> Reply:
    service.store.commit(request.txid)
    return Reply()


def rollback(service: Service, request: Request) -> Reply:
    service.store.rollback(request.txid)
    return Reply()


def get(service: Service, request: Request) -> Reply:
    """Say whether a transaction lives, and let it live on; every reply names the version."""
    if not request.flag("tabular-get-vast-version"):
        with service.store.using(request.txid):
            pass
    return Reply()
