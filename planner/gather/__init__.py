"""Streets and places from OpenStreetMap into a study's folder: by download, or from an extract on disk.

`region` says which area is meant; `overpass` downloads (the only module that talks to a network); `extract` clips a file; `places`
turns tags into tables that a study can use.
"""
