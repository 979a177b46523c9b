"""Through a NAT that is one: a client, a router that masquerades, a server, each in a network namespace."""
