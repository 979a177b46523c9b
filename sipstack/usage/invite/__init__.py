"""The INVITE usage (RFC 3261 §13-§15): from the first INVITE to the BYE.

outgoing    the UAC's side until a 2xx: forks, CANCEL          -> Session
incoming    the UAS's side until a 2xx: progress, refusal      -> Session
session     the established session: ACK, re-INVITE, BYE, either side
acceptance  a 2xx that is repeated until its ACK
reinvite    an offer of ours inside the session, with glare
events      what the user agent hears of all this
"""
