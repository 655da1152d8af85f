"""Whole files, from a URL or a path: CSV and XLSX drops in front of an ERP."""
