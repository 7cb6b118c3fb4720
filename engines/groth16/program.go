package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// The program format is written by `proofs/zk/program.py`. Everything in it is checked here, once: after that, the
// system builder and the witness runner index without looking.
const (
	programFormat  = "opendepin/circuit/2"
	maxWires       = 1 << 23
	maxConstraints = 1 << 22
	maxRegisters   = 1 << 20
)

type term struct{ coefficient, register uint32 }

type step struct {
	op, target, width uint32
	left, right       []term
}

const (
	opProduct = iota
	opValue
	opBits
	opInverse
)

type component struct {
	Name      string
	Inputs    int
	Wires     int
	Registers int
	RowCount  int `json:"row_count"`
	Rows      []uint32
	Tape      []uint32
	rows      [][3][]term
	steps     []step
}

type block struct {
	Base      int
	Chained   bool
	Inputs    []uint32
	Instances int
	Template  int
}

type program struct {
	Blocks       []block
	Coefficients []string
	Constraints  int
	Copies       [][2]int
	Format       string
	Given        int
	Outputs      []uint32
	Public       []string
	Templates    []component
	Wires        int
	k            []fr.Element
	needed       []bool // by block: whether an output hangs on it
}

func parseProgram(raw []byte) (*program, error) {
	p := &program{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	first := 1 + len(p.Public) + p.Given
	if p.Format != programFormat || p.Wires > maxWires || p.Constraints > maxConstraints || p.Given < 0 || first > p.Wires {
		return nil, errors.New("program: another format, or out of bounds")
	}
	p.k = make([]fr.Element, len(p.Coefficients))
	for i, text := range p.Coefficients {
		v, ok := new(big.Int).SetString(text, 16)
		if !ok || v.Sign() < 0 || v.Cmp(fr.Modulus()) >= 0 {
			return nil, errors.New("program: a coefficient is not in 0..r-1")
		}
		p.k[i].SetBigInt(v)
	}
	for i := range p.Templates {
		if err := p.Templates[i].parse(len(p.k)); err != nil {
			return nil, fmt.Errorf("program: template %d: %w", i, err)
		}
	}
	for _, c := range p.Copies {
		if c[0] < 1 || c[0] > len(p.Public) || c[1] < 0 || c[1] >= p.Wires {
			return nil, errors.New("program: a copy is out of bounds")
		}
	}
	for _, w := range p.Outputs {
		if int(w) >= p.Wires {
			return nil, errors.New("program: an output is out of bounds")
		}
	}
	if err := p.checkBlocks(first); err != nil {
		return nil, err
	}
	p.needed = p.blocksOf(p.Outputs)
	return p, nil
}

// blocksOf says which blocks some wires hang on.
func (p *program) blocksOf(wires []uint32) []bool {
	wanted, found := make([]bool, p.Wires), make([]bool, len(p.Blocks))
	for _, w := range wires {
		wanted[w] = true
	}
	for i := len(p.Blocks) - 1; i >= 0; i-- {
		b := &p.Blocks[i]
		for w := b.Base; w < b.Base+b.Instances*p.Templates[b.Template].Wires && !found[i]; w++ {
			found[i] = wanted[w]
		}
		for _, w := range b.Inputs {
			wanted[w] = wanted[w] || found[i]
		}
	}
	return found
}

// checkBlocks demands that blocks lie one behind the other, and that each takes only wires made before it.
func (p *program) checkBlocks(next int) error {
	rows := 0
	for i, b := range p.Blocks {
		if b.Template < 0 || b.Template >= len(p.Templates) || b.Instances < 0 || b.Instances > maxConstraints || b.Base != next {
			return fmt.Errorf("program: block %d is out of place", i)
		}
		t := &p.Templates[b.Template]
		if len(b.Inputs) != b.Instances*t.Inputs {
			return fmt.Errorf("program: block %d has a wrong number of inputs", i)
		}
		for j := 0; j < b.Instances; j++ {
			limit := b.Base
			if b.Chained {
				limit += j * t.Wires
			}
			for _, w := range b.Inputs[j*t.Inputs : (j+1)*t.Inputs] {
				if int(w) >= limit {
					return fmt.Errorf("program: block %d takes a wire made after it", i)
				}
			}
		}
		next += b.Instances * t.Wires
		rows += b.Instances * t.RowCount
		if next > p.Wires || rows > p.Constraints {
			return errors.New("program: more wires or rows than it says")
		}
	}
	if next != p.Wires || rows != p.Constraints {
		return errors.New("program: fewer wires or rows than it says")
	}
	return nil
}

// reader takes numbers from a flat list and remembers the first thing wrong.
type reader struct {
	left         []uint32
	coefficients int
	err          error
}

func (r *reader) number() uint32 {
	if len(r.left) == 0 {
		r.err = errors.New("a list ends early")
		return 0
	}
	n := r.left[0]
	r.left = r.left[1:]
	return n
}

func (r *reader) terms(limit int) []term {
	n := int(r.number())
	if r.err != nil || 2*n > len(r.left) {
		r.err = errors.New("a combination is longer than its list")
		return nil
	}
	terms := make([]term, n)
	for i := range terms {
		terms[i] = term{r.number(), r.number()}
		if int(terms[i].coefficient) >= r.coefficients || int(terms[i].register) >= limit {
			r.err = errors.New("a term is out of bounds")
		}
	}
	return terms
}

func (t *component) parse(coefficients int) error {
	own := 1 + t.Inputs + t.Wires
	if t.Inputs < 0 || t.Wires < 0 || t.RowCount < 0 || t.RowCount > len(t.Rows) || own > t.Registers || t.Registers > maxRegisters {
		return errors.New("sizes out of bounds")
	}
	r := &reader{left: t.Rows, coefficients: coefficients}
	for i := 0; i < t.RowCount && r.err == nil; i++ {
		t.rows = append(t.rows, [3][]term{r.terms(own), r.terms(own), r.terms(own)})
	}
	if r.err == nil && len(r.left) > 0 {
		r.err = errors.New("rows go on after the last")
	}
	if r.err != nil {
		return r.err
	}
	r.left = t.Tape
	for len(r.left) > 0 && r.err == nil {
		s := step{op: r.number(), target: r.number(), width: r.number()}
		s.left, s.right = r.terms(t.Registers), r.terms(t.Registers)
		if s.op > opInverse || s.width < 1 || s.width > fr.Bits || int(s.target) <= t.Inputs || int(s.target)+int(s.width) > t.Registers {
			r.err = errors.New("a step is out of bounds")
		}
		t.steps = append(t.steps, s)
	}
	return r.err
}
