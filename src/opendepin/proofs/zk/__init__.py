"""Zero-knowledge proofs: rules as Python over gadget types, Groth16 over BN254 through a native
engine.
"""
