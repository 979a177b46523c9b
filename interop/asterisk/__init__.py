"""Tests of sipstack against a real Asterisk, which they find or install themselves.

``pytest interop/asterisk`` runs them. ``installation`` says where Asterisk comes from; ``etc/`` holds its
configuration: the endpoints in pjsip.conf, the numbers in extensions.conf. Each run has a folder, ports
and a registrar database of its own.
"""
