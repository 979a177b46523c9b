"""Tests of sipstack with a browser: SIP.js and JsSIP in a headless Chromium, over secure WebSocket.

``pytest interop/browser`` runs them. ``libraries`` says where the two come from, ``page/`` holds the script
that makes them alike, ``chromium`` is the browser.
"""
