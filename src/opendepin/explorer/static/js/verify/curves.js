// Signatures on secp256k1 and the Groth16 equation on BN254, by the noble libraries.

import { secp256k1 } from "../../lib/noble/curves/secp256k1.js";
import { bn254 } from "../../lib/noble/curves/bn254.js";
import { Fault, hex, join, keccak, number, sha256, big } from "./bytes.js";
import { R } from "./poseidon.js";

const HALF_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n / 2n;

export const addressOf = (publicKey) => keccak(publicKey).slice(12);

export function checkSignature(publicKey, digest, signature) {
  if (signature.length !== 64) throw new Fault("a signature has 64 bytes");
  if (number(signature.slice(32)) > HALF_N) throw new Fault("s is in the upper half of the group");
  let holds = false;
  try {
    holds = secp256k1.verify(signature, digest, join(Uint8Array.of(4), publicKey), { prehash: false, lowS: true });
  } catch (error) {
    throw new Fault(`the signature can't be read: ${error.message}`);
  }
  if (!holds) throw new Fault("the signature does not match key and bytes", "no match", hex(addressOf(publicKey)));
}

export function recover(digest, signature) {
  if (signature.length !== 65 || ![27, 28].includes(signature[64])) throw new Fault("a signature has 65 bytes and ends in 27 or 28");
  if (number(signature.slice(32, 64)) > HALF_N) throw new Fault("s is in the upper half of the group");
  try {
    const found = secp256k1.Signature.fromBytes(signature.slice(0, 64), "compact").addRecoveryBit(signature[64] - 27);
    return addressOf(found.recoverPublicKey(digest).toBytes(false).slice(1));
  } catch (error) {
    throw new Fault(`no key made this signature: ${error.message}`);
  }
}

const { G1, G2 } = bn254;
const { Fp, Fp2, Fp12 } = bn254.fields;

function g1([x, y]) {
  const found = G1.Point.fromAffine({ x: below(x), y: below(y) });
  found.assertValidity();
  return found;
}

function g2([[x0, x1], [y0, y1]]) {
  const pair = (c0, c1) => Fp2.fromBigTuple([below(c0), below(c1)]);
  const found = G2.Point.fromAffine({ x: pair(x0, x1), y: pair(y0, y1) });
  found.assertValidity();
  return found;
}

function below(text) {
  const value = BigInt(text);
  if (value >= Fp.ORDER) throw new Fault("a coordinate is not below the field's modulus");
  return value;
}

export function groth16Holds(key, proof, inputs) {
  if (proof.length !== 256) throw new Fault("a proof has 256 bytes");
  const words = Array.from({ length: 8 }, (_, i) => number(proof.slice(32 * i, 32 * i + 32)));
  if (key.ic.length !== inputs.length + 1) throw new Fault("the key is for another number of public inputs");
  let a, b, c, x;
  try {
    a = g1([words[0], words[1]]);
    b = g2([[words[3], words[2]], [words[5], words[4]]]);
    c = g1([words[6], words[7]]);
    x = inputs.reduce((sum, input, i) => {
      const value = BigInt(input);
      if (value >= R) throw new Fault("a public input is not below the field's modulus");
      return value ? sum.add(g1(key.ic[i + 1]).multiply(value)) : sum;
    }, g1(key.ic[0]));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(`a point of the proof is not on its curve: ${error.message}`);
  }
  const product = bn254.pairingBatch([
    { g1: a.negate(), g2: b },
    { g1: g1(key.alpha), g2: g2(key.beta) },
    { g1: x, g2: g2(key.gamma) },
    { g1: c, g2: g2(key.delta) },
  ]);
  return Fp12.eql(product, Fp12.ONE);
}

// The key's bytes as the EVM takes them; their SHA-256 is the key's hash.
export function keyHash(key) {
  const two = ([[x0, x1], [y0, y1]]) => [x1, x0, y1, y0];
  const words = [...key.alpha, ...two(key.beta), ...two(key.gamma), ...two(key.delta), ...key.ic.flat()];
  return sha256(join(...words.map((w) => big(w, 32))));
}
