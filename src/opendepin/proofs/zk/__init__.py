"""Zero-knowledge proofs: rules in Python, Groth16 over BN254 through a native engine."""
