//go:build peer

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
	"os"

	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
	cs "github.com/consensys/gnark/constraint/bn254"
)

// The peer build, for benchmarks alone, also writes a snarkjs .zkey for a loaded circuit, from secrets drawn here: in
// seconds and without a powers-of-tau file, so that both provers can prove the same constraints.
func init() {
	extraOps["zkey"] = func(e *engine, req request) (reply, [][]byte, error) {
		c, err := e.need(req.Circuit)
		if err != nil {
			return nil, nil, err
		}
		return reply{}, nil, writeZkey(c.sys, req.Path)
	}
}

type waste struct{ tau, alpha, beta, gammaInverse, deltaInverse, gamma, delta fr.Element }

func newWaste() (w waste) {
	for _, x := range []*fr.Element{&w.tau, &w.alpha, &w.beta, &w.gamma, &w.delta} {
		x.MustSetRandom()
	}
	w.gammaInverse.Inverse(&w.gamma)
	w.deltaInverse.Inverse(&w.delta)
	return
}

// The guard rows come last and are exactly the ones snarkjs adds after a circuit's own.
func writeZkey(sys *cs.R1CS, path string) error {
	public, wires := sys.GetNbPublicVariables(), sys.GetNbPublicVariables()+sys.GetNbSecretVariables()
	size := 1 << bits.Len(uint(sys.GetNbConstraints()-1))
	w := newWaste()
	sides, coefficients, count := evaluateRows(sys, wires, lagrange(size, &w.tau))
	k := make([]fr.Element, wires)
	for i := range k {
		var t fr.Element
		k[i].Mul(&w.beta, &sides[0][i])
		t.Mul(&w.alpha, &sides[1][i])
		k[i].Add(&k[i], &t).Add(&k[i], &sides[2][i])
		if i < public {
			k[i].Mul(&k[i], &w.gammaInverse)
		} else {
			k[i].Mul(&k[i], &w.deltaInverse)
		}
	}
	odd, h := lagrange(2*size, &w.tau), make([]fr.Element, size)
	for i := range h {
		h[i].Mul(&odd[2*i+1], &w.deltaInverse)
	}
	head := append(bigLE(fp.Modulus()), bigLE(fr.Modulus())...)
	for _, v := range []int{wires, public - 1, size} {
		head = binary.LittleEndian.AppendUint32(head, uint32(v))
	}
	ones, twos := inG1([]fr.Element{w.alpha, w.beta, w.delta}), inG2([]fr.Element{w.beta, w.gamma, w.delta})
	for _, part := range [][]byte{ones[:128], twos[:256], ones[128:], twos[256:]} {
		head = append(head, part...)
	}
	return writeSections(path, [][]byte{{1, 0, 0, 0}, head, inG1(k[:public]),
		append(binary.LittleEndian.AppendUint32(nil, count), coefficients...),
		inG1(sides[0]), inG1(sides[1]), inG2(sides[1]), inG1(k[public:]), inG1(h), make([]byte, 68)})
}

// evaluateRows sums each wire's coefficients over the rows' Lagrange values, and lists those of the first two sides.
func evaluateRows(sys *cs.R1CS, wires int, at []fr.Element) (sides [3][]fr.Element, list []byte, count uint32) {
	for s := range sides {
		sides[s] = make([]fr.Element, wires)
	}
	var montgomery, t fr.Element
	montgomery.SetBigInt(new(big.Int).Lsh(big.NewInt(1), 256))
	rows := sys.GetR1CIterator()
	for i, row := 0, rows.Next(); row != nil; i, row = i+1, rows.Next() {
		for s, side := range [][]fr.Element{sides[0], sides[1], sides[2]} {
			terms := row.L
			if s > 0 {
				terms = row.R
			}
			if s > 1 {
				terms = row.O
			}
			for _, x := range terms {
				k := sys.Coefficients[x.CID]
				t.Mul(&k, &at[i])
				side[x.VID].Add(&side[x.VID], &t)
				if s < 2 {
					k.Mul(&k, &montgomery) // snarkjs stores them twice in Montgomery form
					for _, v := range []uint32{uint32(s), uint32(i), x.VID} {
						list = binary.LittleEndian.AppendUint32(list, v)
					}
					list = limbs(list, k[:])
					count++
				}
			}
		}
	}
	return
}

func inG1(scalars []fr.Element) (raw []byte) {
	_, _, g, _ := bn254.Generators()
	for _, p := range bn254.BatchScalarMultiplicationG1(&g, scalars) {
		raw = limbs(limbs(raw, p.X[:]), p.Y[:])
	}
	return
}

func inG2(scalars []fr.Element) (raw []byte) {
	_, _, _, g := bn254.Generators()
	for _, p := range bn254.BatchScalarMultiplicationG2(&g, scalars) {
		for _, x := range []*fp.Element{&p.X.A0, &p.X.A1, &p.Y.A0, &p.Y.A1} {
			raw = limbs(raw, x[:])
		}
	}
	return
}

func limbs(raw []byte, x []uint64) []byte {
	for _, limb := range x {
		raw = binary.LittleEndian.AppendUint64(raw, limb)
	}
	return raw
}

func bigLE(x *big.Int) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, fr.Bytes)
	be := x.FillBytes(make([]byte, fr.Bytes))
	for i := range be {
		raw = append(raw, be[fr.Bytes-1-i])
	}
	return raw
}

func writeSections(path string, sections [][]byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString("zkey")
	w.Write([]byte{1, 0, 0, 0, byte(len(sections)), 0, 0, 0})
	for i, s := range sections {
		w.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, uint32(i+1)), uint64(len(s))))
		w.Write(s)
	}
	return errors.Join(w.Flush(), f.Close())
}

// lagrange evaluates the n Lagrange polynomials of the n-th roots of unity at tau.
func lagrange(n int, tau *fr.Element) []fr.Element {
	domain := fft.NewDomain(uint64(n))
	one := fr.One()
	var z, w fr.Element
	z.Exp(*tau, big.NewInt(int64(n))).Sub(&z, &one).Mul(&z, &domain.CardinalityInv)
	w.SetOne()
	powers, values := make([]fr.Element, n), make([]fr.Element, n)
	for i := range values {
		powers[i] = w
		values[i].Sub(tau, &w)
		w.Mul(&w, &domain.Generator)
	}
	values = fr.BatchInvert(values)
	for i := range values {
		values[i].Mul(&values[i], &z).Mul(&values[i], &powers[i])
	}
	return values
}
