"""Analyses of a model, as in section 6 of the DCGAN paper (Radford et al. 2015, arXiv:1511.06434), and a report of them all.

Each has a number that says whether it worked, and goes through the interfaces of `zoo_core` alone: any network will do.
"""
