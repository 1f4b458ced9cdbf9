"""From roots to rows: the scan."""

from exrindex.scan.report import Counts, Notify, Report, ScanOptions
from exrindex.scan.run import scan

__all__ = ["Counts", "Notify", "Report", "ScanOptions", "scan"]
