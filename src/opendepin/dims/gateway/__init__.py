"""Gateway: admits signed messages, keeps them durably, answers with receipts anyone can check.

In: messages by HTTP, one or many a request. Out: signed commit groups in a stage log, receipts, a
feed for whoever orders them. Promise: what was acknowledged is on disk, has one position, and keeps
it.
"""
