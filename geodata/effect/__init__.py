"""What treatment changed at one place, from two georeferenced pictures of two rounds.

`compare.compare` is the way in. The rest: `picture` reads a raster or a frame, `canvas` is the ground grid both
are drawn on, `registration` and `radiometry` make them comparable, `measure` judges, `pair` draws them for eyes.
"""
