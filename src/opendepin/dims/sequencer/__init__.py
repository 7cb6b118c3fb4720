"""Sequencer: groups become sealed batches, in order, once; batches reach the stores and the
inbox.
"""
