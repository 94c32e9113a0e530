"""A picture while it is drawn: glyph by glyph, compiled where Numba is installed, else with Pillow."""
