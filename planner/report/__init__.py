"""A `Result` on paper and in files: the programme (xlsx), the report (docx) and the layers (GeoPackage)."""
