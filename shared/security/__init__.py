"""Security: TLS certificates, bearer tokens, the credentials of a client; changed files are read again."""
