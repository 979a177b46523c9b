"""The registration usage (RFC 3261 §10): a binding of our Contact that is kept until it is removed.

usage     the REGISTERs of one binding: refreshed, lengthened, moved, removed
instance  which device a binding is of, and which of its flows (RFC 5626)
bindings  which of the bindings in a 200 is ours
grant     what a 200 says of it: seconds, routes, GRUUs, associated URIs
events    what the user agent hears of all this
"""
