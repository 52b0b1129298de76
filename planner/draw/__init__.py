"""Result -> maps: the one symbology (style), sheets for paper (sheet), the web map (web)."""
