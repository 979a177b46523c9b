"""Event packages: what each of them says, as plain values.

package          what a package is
xml              documents, read within bounds
message_summary  waiting messages (RFC 3842)
dialog           calls (RFC 4235)
presence         reachability (RFC 3856, 3863)
reg              registrations (RFC 3680)
conference       participants (RFC 4575)
known            all of them by name
"""
