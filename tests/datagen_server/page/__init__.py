"""Tests of the pages of a running service."""
