"""OData v4 and v2: the typed gateway in front of an ERP."""

from archibald_sync.sources.connector import Connector
from archibald_sync.sources.odata.settings import KEYS, read_odata
from archibald_sync.sources.odata.source import ODataSource

CONNECTOR = Connector(KEYS, lambda reader, mapping: ODataSource(read_odata(reader), mapping))
