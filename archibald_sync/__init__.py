"""archibald-sync: a local product catalogue that stays in step with the ERP.

This module owns the version number, and imports nothing: whoever asks for the
version (packaging, ``--version``) pays for nothing else.
"""

__version__ = "0.1.0"
