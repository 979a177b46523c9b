"""The uses of dialogs and transactions: calls, registrations, single requests. No usage imports
another.
"""
