"""A cluster on loopback: Kamailio in front, nodes of ours behind it, a store beside them."""
