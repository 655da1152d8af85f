"""JSON over HTTP, in pages: the REST gateway in front of an ERP."""

from archibald_sync.sources.connector import Connector
from archibald_sync.sources.rest.settings import KEYS, read_rest
from archibald_sync.sources.rest.source import RestSource

CONNECTOR = Connector(KEYS, lambda reader, mapping: RestSource(read_rest(reader), mapping))
