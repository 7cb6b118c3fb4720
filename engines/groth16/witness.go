package main

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// witness computes every wire.
func (p *program) witness(given fr.Vector, public map[string]fr.Element) (fr.Vector, error) {
	wires, err := p.run(given, public, nil)
	for _, c := range p.Copies {
		if err == nil {
			wires[c[0]] = wires[c[1]]
		}
	}
	return wires, err
}

// run runs the tapes of the blocks asked for (nil: all) once per instance. Instances of a block that is not chained
// are independent.
func (p *program) run(given fr.Vector, public map[string]fr.Element, asked []bool) (fr.Vector, error) {
	if len(given) != p.Given {
		return nil, fmt.Errorf("%d inputs given where %d are due", len(given), p.Given)
	}
	wires := make(fr.Vector, p.Wires)
	wires[0].SetOne()
	for i, name := range p.Public {
		wires[1+i] = public[name]
	}
	copy(wires[1+len(p.Public):], given)
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if asked != nil && !asked[i] {
			continue
		}
		if !b.Chained {
			inParallel(b.Instances, func(j int) { p.instance(b, j, make([]fr.Element, p.Templates[b.Template].Registers), wires) })
			continue
		}
		registers := make([]fr.Element, p.Templates[b.Template].Registers)
		for j := 0; j < b.Instances; j++ {
			p.instance(b, j, registers, wires)
		}
	}
	return wires, nil
}

func (p *program) instance(b *block, instance int, registers []fr.Element, wires fr.Vector) {
	t := &p.Templates[b.Template]
	registers[0].SetOne()
	for k, w := range b.Inputs[instance*t.Inputs : (instance+1)*t.Inputs] {
		registers[1+k] = wires[w]
	}
	for i := range t.steps {
		p.step(&t.steps[i], registers)
	}
	copy(wires[b.Base+instance*t.Wires:], registers[1+t.Inputs:1+t.Inputs+t.Wires])
}

func (p *program) step(s *step, registers []fr.Element) {
	value := p.sum(s.left, registers)
	switch s.op {
	case opProduct:
		right := p.sum(s.right, registers)
		value.Mul(&value, &right)
	case opInverse:
		value.Inverse(&value) // 0 gives 0
	case opBits:
		limbs := value.Bits()
		for i := uint32(0); i < s.width; i++ {
			registers[s.target+i].SetUint64(limbs[i/64] >> (i % 64) & 1)
		}
		return
	}
	registers[s.target] = value
}

func (p *program) sum(terms []term, registers []fr.Element) (total fr.Element) {
	for _, t := range terms {
		k, m := &p.k[t.coefficient], registers[t.register]
		if !k.IsOne() {
			m.Mul(k, &m)
		}
		total.Add(&total, &m)
	}
	return
}
