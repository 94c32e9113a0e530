"""`make certs`: a development authority, what it signs, and a token; then the commands that use them.

The authority's key is thrown away: another run makes another authority and replaces all files, which a service and
its readers take up without a restart. Not for production: whoever makes certificates there keeps the key elsewhere.
"""

import argparse
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from shared.security.credentials import Security
from tests.support.certificates import write_pair

NAMES = "localhost", "127.0.0.1", "::1", "datagen"
_VALID_FOR = timedelta(days=365)


def main() -> None:
    """Writes ca.pem, server.pem, server.key, client.pem, client.key and token."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("certs"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--names", nargs="*", default=[], metavar="HOST", help=f"more than {', '.join(NAMES)}")
    options = parser.parse_args()
    options.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, end = trustme.CA(), datetime.now(UTC) + _VALID_FOR
    server = authority.issue_cert(*NAMES, *options.names, not_after=end)
    cert, key = write_pair(options.out, "server", server)
    own_cert, own_key = write_pair(options.out, "client", authority.issue_cert("reader@datagen", not_after=end))
    ca, token = options.out / "ca.pem", options.out / "token"
    ca.write_bytes(authority.cert_pem.bytes())
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32) + "\n")
    reader = Security(tls_ca=ca, tls_cert=own_cert, tls_key=own_key, token_file=token).arguments()
    print(f"{options.out}: an authority, a server's and a reader's certificate, a token; valid for 365 days\n")
    serve = f"--tls-cert {cert} --tls-key {key} --tls-client-ca {ca} --token-file {token}"
    print(f"python -m datagen_server serve --listen 0.0.0.0:50051 {serve}")
    print(f"python -m datagen_server health --target localhost:50051 {' '.join(reader[:6])}")
    print(f"python -m trainer --datagen localhost:50051 {' '.join(reader)}")


if __name__ == "__main__":
    main()
