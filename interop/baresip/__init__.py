"""Tests against baresip: a phone with SDES, DTLS-SRTP, ICE and codecs of its own."""
