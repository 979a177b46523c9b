"""Transactions (RFC 3261 §17 with RFC 6026): four machines and the layer that matches messages to them."""
