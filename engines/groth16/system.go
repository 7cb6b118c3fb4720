package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark/constraint"
	cs "github.com/consensys/gnark/constraint/bn254"
)

// builder adds rows straight to gnark's R1CS. Every private wire is declared secret, in circom's order.
type builder struct {
	sys       *cs.R1CS
	blueprint constraint.BlueprintID
	public    int
}

func newBuilder(public, wires, rows int) *builder {
	b := &builder{sys: cs.NewR1CS(rows + public + 1), public: public}
	b.blueprint = b.sys.AddBlueprint(&constraint.BlueprintGenericR1C{})
	b.sys.AddPublicVariable("1")
	for i := 0; i < public; i++ {
		b.sys.AddPublicVariable(fmt.Sprint("public", i))
	}
	for i := public + 1; i < wires; i++ {
		b.sys.AddSecretVariable("")
	}
	return b
}

func (b *builder) coefficient(x *fr.Element) uint32 {
	var limbs constraint.U64
	copy(limbs[:], x[:])
	return b.sys.AddCoeff(limbs)
}

func (b *builder) row(side [3]constraint.LinearExpression) {
	b.sys.AddR1C(constraint.R1C{L: side[0], R: side[1], O: side[2]}, b.blueprint)
}

// finish adds the guard rows `wire · 0 = 0` for the one wire and every public input. gnark's setup adds none: a public
// input that stands in no row gets the point at infinity in the key, and then ANY value of it verifies.
func (b *builder) finish() *cs.R1CS {
	for i := 0; i <= b.public; i++ {
		b.row([3]constraint.LinearExpression{{{CID: constraint.CoeffIdOne, VID: uint32(i)}}, nil, nil})
	}
	return b.sys
}

// system replicates the template rows: the same constraints, in the same order, as the .r1cs file.
func (p *program) system() *cs.R1CS {
	b := newBuilder(len(p.Public), p.Wires, p.Constraints)
	ids := make([]uint32, len(p.k))
	for i := range p.k {
		ids[i] = b.coefficient(&p.k[i])
	}
	for _, bl := range p.Blocks {
		t := &p.Templates[bl.Template]
		wires := make([]uint32, 1+t.Inputs+t.Wires)
		for j := 0; j < bl.Instances; j++ {
			copy(wires[1:], bl.Inputs[j*t.Inputs:(j+1)*t.Inputs])
			for k := 0; k < t.Wires; k++ {
				wires[1+t.Inputs+k] = uint32(bl.Base + j*t.Wires + k)
			}
			for _, row := range t.rows {
				var side [3]constraint.LinearExpression
				for s := range side {
					for _, x := range row[s] {
						side[s] = append(side[s], constraint.Term{CID: ids[x.coefficient], VID: wires[x.register]})
					}
				}
				b.row(side)
			}
		}
	}
	return b.finish()
}

const (
	modulusLE      = "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430"
	r1csHeaderSize = 4 + 32 + 4*4 + 8 + 4
)

// readR1CS reads the circom binary format, version 1. A list that ends early panics, which `answer` turns into an error.
func readR1CS(raw []byte) (*cs.R1CS, error) {
	le := binary.LittleEndian
	if len(raw) < 12 || string(raw[:4]) != "r1cs" {
		return nil, errors.New("r1cs: not such a file")
	}
	sections := map[uint32][]byte{}
	for rest := raw[12:]; len(rest) > 0; rest = rest[12+le.Uint64(rest[4:]):] {
		sections[le.Uint32(rest)] = rest[12 : 12+le.Uint64(rest[4:])]
	}
	h, body := sections[1], sections[2]
	if len(h) != r1csHeaderSize || le.Uint32(h) != fr.Bytes || hex.EncodeToString(h[4:36]) != modulusLE {
		return nil, errors.New("r1cs: not over the BN254 scalar field")
	}
	wires, public, rows := int(le.Uint32(h[36:])), int(le.Uint32(h[40:]))+int(le.Uint32(h[44:])), int(le.Uint32(h[60:]))
	if wires > maxWires || rows > maxConstraints || public >= wires {
		return nil, errors.New("r1cs: out of bounds")
	}
	b := newBuilder(public, wires, rows)
	ids := map[[fr.Bytes]byte]uint32{}
	for i := 0; i < rows; i++ {
		var side [3]constraint.LinearExpression
		for s := range side {
			n := le.Uint32(body)
			for body = body[4:]; n > 0; n-- {
				wire, bytes := le.Uint32(body), [fr.Bytes]byte(body[4:36])
				id, known := ids[bytes]
				if !known {
					x, err := fr.LittleEndian.Element(&bytes)
					if err != nil {
						return nil, err
					}
					id = b.coefficient(&x)
					ids[bytes] = id
				}
				if int(wire) >= wires {
					return nil, errors.New("r1cs: a wire is out of bounds")
				}
				side[s] = append(side[s], constraint.Term{CID: id, VID: wire})
				body = body[36:]
			}
		}
		b.row(side)
	}
	return b.finish(), nil
}
