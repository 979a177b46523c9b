"""RTP and RTCP (RFC 3550, RFC 3551), G.711, the playout buffer and loss concealment.

Pure: no socket, clock or randomness. Times are seconds given as ``now``, timestamps are in units of the
payload's RTP clock, PCM is signed 16-bit little-endian mono.
"""
