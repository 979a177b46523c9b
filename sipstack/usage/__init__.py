"""What dialogs and transactions are used for: calls, registrations, single requests. No usage imports
another.
"""
