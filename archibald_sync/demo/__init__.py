"""A stand-in for the ERP, for newcomers and tests; it knows nothing of the rest."""
