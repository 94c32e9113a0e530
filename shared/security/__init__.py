"""Who may read: TLS certificates, tokens, and files that are read again when they change."""
