"""Generated river scenes with known truth, so that recognition can be scored; it must not know how recognition works."""
