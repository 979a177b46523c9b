"""Media as browsers have it (RFC 8827): ICE and DTLS-SRTP, by aiortc and aioice of the ``media`` extra.

All of this folder needs them; ``media.path`` imports it when such a path is asked for.
"""
