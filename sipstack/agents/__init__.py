"""Voice bots in calls: an example to copy, a bridge to agents in any language, and a transport of Pipecat.

``echo_bot`` is a bot in 30 lines. ``wire`` is the protocol that ``sipstack agent`` speaks with a program on a
WebSocket, a TCP socket or standard input and output; ``conversation`` is one call of it, for applications
that answer themselves. ``pipecat`` makes a call the transport of a Pipecat pipeline.
"""
