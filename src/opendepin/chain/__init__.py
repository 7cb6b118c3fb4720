"""Layer 1: the engine behind a port, typed calls, sends that end in final state, and storage that
proves itself.

Rooms read by `ports.ChainReader` and send by `outbox.Outbox`; `storage`, `header` and `trie` are
pure and are all that `verify` needs. Nothing here believes a node further than a proof under a
block hash goes.
"""
