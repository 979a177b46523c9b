"""Tests of sipstack through a real Kamailio: a registrar and a Record-Routing proxy between two of ours.

``pytest interop/kamailio`` runs them. ``etc/`` holds its configuration; each run has a folder, ports and
certificates of its own, and its bindings are in memory.
"""
