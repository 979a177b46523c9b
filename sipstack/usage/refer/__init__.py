"""REFER (RFC 3515): one asks another to call a third, and is told by NOTIFY what becomes of it.

outgoing  the side that asks, with the subscription that this makes
server    what the side that is asked can follow, and whom it has to call  -> IncomingRefer
incoming  its answer, and the NOTIFYs that it owes
fragment  the body of these: a status line
events    what the user agent hears of all this
"""
