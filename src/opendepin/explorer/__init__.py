"""The explorer: an index over L1, batches and gateway feed, and the pages and API that show it.

A reader only: nothing here can change the network, and everything shown can be recomputed from
the sources.
"""
