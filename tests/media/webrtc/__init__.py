"""Tests of DTLS-SRTP and ICE, which need the ``media`` extra."""
