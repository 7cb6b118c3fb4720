package main

import (
	"math/big"
	"runtime"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
)

// poseidon is circomlib's Poseidon of one width (3 or 5), its constants from the Grain LFSR of the paper's appendix E.
type poseidon struct {
	width   int
	partial int
	ark     [][]fr.Element
	mds     [][]fr.Element
}

const (
	fullRounds = 8
	arity      = 4 // children of a node of the field tree
	maxDepth   = 10
)

var partialRounds = map[int]int{3: 57, 5: 60}

type grain []byte

func newGrain(width int) grain {
	var s grain
	fields := [][2]uint64{{1, 2}, {0, 4}, {254, 12}, {uint64(width), 12}, {fullRounds, 10},
		{uint64(partialRounds[width]), 10}, {1<<30 - 1, 30}}
	for _, f := range fields {
		for i := int(f[1]) - 1; i >= 0; i-- {
			s = append(s, byte(f[0]>>i&1))
		}
	}
	for i := 0; i < 160; i++ {
		s.step()
	}
	return s
}

func (s *grain) step() byte {
	g := *s
	b := g[62] ^ g[51] ^ g[38] ^ g[23] ^ g[13] ^ g[0]
	*s = append(g[1:], b)
	return b
}

// draw takes 254 bits of the self-shrinking output.
func (s *grain) draw() *big.Int {
	v := new(big.Int)
	for i := 0; i < 254; i++ {
		for s.step() == 0 {
			s.step()
		}
		v.Lsh(v, 1).Or(v, big.NewInt(int64(s.step())))
	}
	return v
}

func newPoseidon(width int) *poseidon {
	g := newGrain(width)
	p := &poseidon{width: width, partial: partialRounds[width]}
	for r := 0; r < fullRounds+p.partial; r++ {
		row := make([]fr.Element, width)
		for i := range row {
			v := g.draw()
			for v.Cmp(fr.Modulus()) >= 0 { // rejection, for the round constants only
				v = g.draw()
			}
			row[i].SetBigInt(v)
		}
		p.ark = append(p.ark, row)
	}
	points := make([]fr.Element, 2*width)
	for i := range points {
		points[i].SetBigInt(g.draw())
	}
	for i := 0; i < width; i++ {
		row := make([]fr.Element, width)
		for j := range row {
			row[j].Add(&points[i], &points[width+j]).Inverse(&row[j])
		}
		p.mds = append(p.mds, row)
	}
	return p
}

func fifth(x *fr.Element) {
	var y fr.Element
	y.Square(x).Square(&y)
	x.Mul(x, &y)
}

func (p *poseidon) hash(in ...fr.Element) fr.Element {
	var s, o [5]fr.Element
	copy(s[1:], in)
	for r, row := range p.ark {
		for i := 0; i < p.width; i++ {
			s[i].Add(&s[i], &row[i])
		}
		fifth(&s[0])
		if r < fullRounds/2 || r >= fullRounds/2+p.partial {
			for i := 1; i < p.width; i++ {
				fifth(&s[i])
			}
		}
		for i := 0; i < p.width; i++ {
			o[i] = fr.Element{}
			for j := 0; j < p.width; j++ {
				var m fr.Element
				m.Mul(&p.mds[i][j], &s[j])
				o[i].Add(&o[i], &m)
			}
		}
		s = o
	}
	return s[0]
}

// fieldRoot is Poseidon2(root of the tree whose leaves are the words and then zeros, count); node is Poseidon4.
func fieldRoot(two, four *poseidon, words fr.Vector, depth, count int) fr.Element {
	level := append(fr.Vector{}, words...)
	var empty fr.Element
	for ; depth > 0; depth-- {
		for len(level)%arity != 0 {
			level = append(level, empty)
		}
		next := make(fr.Vector, len(level)/arity)
		inParallel(len(next), func(i int) { next[i] = four.hash(level[arity*i : arity*(i+1)]...) })
		level, empty = next, four.hash(empty, empty, empty, empty)
	}
	root := empty
	if len(level) > 0 {
		root = level[0]
	}
	var n fr.Element
	n.SetUint64(uint64(count))
	return two.hash(root, n)
}

// inParallel calls work(0..n-1); a panic inside is raised again in the caller, which answers it.
func inParallel(n int, work func(int)) {
	parts := runtime.GOMAXPROCS(0)
	if n < 8 {
		parts = 1
	}
	var group sync.WaitGroup
	panics := make(chan any, parts)
	for q := 0; q < parts; q++ {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if x := recover(); x != nil {
					panics <- x
				}
			}()
			for i := n * q / parts; i < n*(q+1)/parts; i++ {
				work(i)
			}
		}()
	}
	group.Wait()
	select {
	case x := <-panics:
		panic(x)
	default:
	}
}
