"""The ERP's own web pages: login with a form, and the PDF export of a list view."""

from archibald_sync.domain.normalise import Notation
from archibald_sync.sources.archibald.settings import KEYS, read_archibald
from archibald_sync.sources.archibald.source import ArchibaldSource
from archibald_sync.sources.connector import Connector

CONNECTOR = Connector(
    KEYS,
    lambda reader, mapping: ArchibaldSource(read_archibald(reader), mapping),
    Notation.ITALIAN,
)
