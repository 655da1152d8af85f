"""Where resources come from: one module a connector, behind the one ``Source`` port."""
