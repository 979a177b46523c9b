"""Calls with linphone, a widespread phone (liblinphone, by its console program)."""
