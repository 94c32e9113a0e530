"""Captchas as a function of spec, split and index; the fingerprint of the renderer; contact sheets."""
