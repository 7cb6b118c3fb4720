"""Engines that stand behind `chain.ports.ExecutionEngine`, and the proxy in front of the
embedded one.
"""
