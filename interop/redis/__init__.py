"""The store of sessions in Redis, against a real one that is started here."""
