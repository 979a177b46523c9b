"""REFER (RFC 3515): one asks another to call a third, and is told by NOTIFY what becomes of it.

``outgoing`` is the side that asks, ``incoming`` the side that is asked.
"""
