"""Where sessions outlive their process: each store is a file, behind the protocol of ``port``."""
