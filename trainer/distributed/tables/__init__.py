"""Rank tables: what MindSpore's and others' files say about ranks, devices and hosts."""
