"""Dialogs (RFC 3261 §12) and what a usage of a dialog must offer (RFC 5057)."""
