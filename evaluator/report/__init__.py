"""What an evaluation says: terminal, report.json, one HTML page with charts."""
