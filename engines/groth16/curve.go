package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	groth16 "github.com/consensys/gnark/backend/groth16/bn254"
)

// Points are written as the EVM precompiles take them: big-endian words, and the imaginary part of a G2 coordinate
// (gnark's A1) before the real one (A0).
const (
	g1Bytes, g2Bytes = 64, 128
	proofBytes       = 2*g1Bytes + g2Bytes
	maxKeyPoints     = 64
)

func word(x *fp.Element) []byte {
	b := x.Bytes()
	return b[:]
}

func encodeG1(p *bn254.G1Affine) []byte { return append(word(&p.X), word(&p.Y)...) }

func encodeG2(p *bn254.G2Affine) []byte {
	return bytes.Join([][]byte{word(&p.X.A1), word(&p.X.A0), word(&p.Y.A1), word(&p.Y.A0)}, nil)
}

func decodeWords(raw []byte, into ...*fp.Element) error {
	for i, x := range into {
		if err := x.SetBytesCanonical(raw[32*i : 32*i+32]); err != nil {
			return err
		}
	}
	return nil
}

func decodeG1(raw []byte) (p bn254.G1Affine, err error) {
	if err = decodeWords(raw, &p.X, &p.Y); err == nil && !p.IsOnCurve() {
		err = errors.New("a G1 point is not on the curve")
	}
	return
}

func decodeG2(raw []byte) (p bn254.G2Affine, err error) {
	if err = decodeWords(raw, &p.X.A1, &p.X.A0, &p.Y.A1, &p.Y.A0); err == nil && !p.IsInSubGroup() {
		err = errors.New("a G2 point is not in the subgroup")
	}
	return
}

func encodeProof(p *groth16.Proof) []byte {
	return bytes.Join([][]byte{encodeG1(&p.Ar), encodeG2(&p.Bs), encodeG1(&p.Krs)}, nil)
}

func decodeProof(raw []byte) (*groth16.Proof, error) {
	if len(raw) != proofBytes {
		return nil, fmt.Errorf("a proof is %d bytes", proofBytes)
	}
	var p groth16.Proof
	var a, b, c error
	p.Ar, a = decodeG1(raw[:g1Bytes])
	p.Bs, b = decodeG2(raw[g1Bytes : g1Bytes+g2Bytes])
	p.Krs, c = decodeG1(raw[g1Bytes+g2Bytes:])
	return &p, errors.Join(a, b, c)
}

// A verification key: alpha, beta, gamma, delta, then one G1 point per public wire, the one wire first.
const keyHeadBytes = g1Bytes + 3*g2Bytes

func encodeVK(vk *groth16.VerifyingKey) ([]byte, error) {
	if len(vk.CommitmentKeys) != 0 || len(vk.PublicAndCommitmentCommitted) != 0 {
		return nil, errors.New("keys with the commitment extension are not supported")
	}
	parts := [][]byte{encodeG1(&vk.G1.Alpha), encodeG2(&vk.G2.Beta), encodeG2(&vk.G2.Gamma), encodeG2(&vk.G2.Delta)}
	for i := range vk.G1.K {
		if vk.G1.K[i].IsInfinity() {
			return nil, fmt.Errorf("public wire %d is bound by no constraint: any value of it would verify", i)
		}
		parts = append(parts, encodeG1(&vk.G1.K[i]))
	}
	return bytes.Join(parts, nil), nil
}

func decodeVK(raw []byte) (*groth16.VerifyingKey, error) {
	points := (len(raw) - keyHeadBytes) / g1Bytes
	if len(raw) != keyHeadBytes+points*g1Bytes || points < 2 || points > maxKeyPoints {
		return nil, fmt.Errorf("%d bytes are no verification key", len(raw))
	}
	var vk groth16.VerifyingKey
	var errs [4]error
	vk.G1.Alpha, errs[0] = decodeG1(raw)
	vk.G2.Beta, errs[1] = decodeG2(raw[g1Bytes:])
	vk.G2.Gamma, errs[2] = decodeG2(raw[g1Bytes+g2Bytes:])
	vk.G2.Delta, errs[3] = decodeG2(raw[g1Bytes+2*g2Bytes:])
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for at := keyHeadBytes; at < len(raw); at += g1Bytes {
		p, err := decodeG1(raw[at:])
		if err != nil {
			return nil, err
		}
		if p.IsInfinity() {
			return nil, errors.New("a public wire of the key is bound by no constraint")
		}
		vk.G1.K = append(vk.G1.K, p)
	}
	return &vk, vk.Precompute()
}

func encodeElements(v fr.Vector) []byte {
	raw := make([]byte, fr.Bytes*len(v))
	for i := range v {
		fr.LittleEndian.PutElement((*[fr.Bytes]byte)(raw[fr.Bytes*i:]), v[i])
	}
	return raw
}

func decodeElements(raw []byte) (fr.Vector, error) {
	if len(raw)%fr.Bytes != 0 {
		return nil, errors.New("no whole number of field elements")
	}
	v := make(fr.Vector, len(raw)/fr.Bytes)
	for i := range v {
		x, err := fr.LittleEndian.Element((*[fr.Bytes]byte)(raw[fr.Bytes*i:])) // refuses r and above
		if err != nil {
			return nil, err
		}
		v[i] = x
	}
	return v, nil
}
