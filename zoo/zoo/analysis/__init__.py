"""Analyses of a model: walks, arithmetic, turning, features, forgetting, projection, and one report that shows it all.

What section 6 of the DCGAN paper shows (Radford et al. 2015, arXiv:1511.06434), each with a number that says whether it
worked. Everything goes through the interfaces of `zoo_core` alone, so that it works on anybody's networks.
"""
