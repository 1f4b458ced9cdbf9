"""Buckets, as far as plain S3 goes here: do they exist, and have they snapshots."""

from __future__ import annotations

from xml.sax.saxutils import escape

from vastserver.request import Reply, Request, S3Error
from vastserver.service import Service, find_bucket


def head(service: Service, request: Request) -> Reply:
    if request.bucket not in service.store.database.buckets:
        raise S3Error(404, "NoSuchBucket", f"there is no bucket {request.bucket}")
    return Reply()


def list_objects(service: Service, request: Request) -> Reply:
    """An empty listing: there are no objects here and no snapshots."""
    bucket = find_bucket(service.store.database, request)
    prefix = escape(request.arguments.get("prefix", ""))
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ListBucketResult><Name>{escape(bucket.name)}</Name><Prefix>{prefix}</Prefix>"
        "<Marker></Marker><IsTruncated>false</IsTruncated></ListBucketResult>"
    )
    return Reply(body.encode(), {"Content-Type": "application/xml"})
