"""Multispectral images: from the numbers a camera wrote to indices that can be trusted, and what is seen in them."""
