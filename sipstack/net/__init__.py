"""The asyncio shell around the core: sockets, names and the clock."""
