package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"
	"runtime/debug"
	"time"

	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	groth16 "github.com/consensys/gnark/backend/groth16/bn254"
	"github.com/consensys/gnark/backend/witness"
	cs "github.com/consensys/gnark/constraint/bn254"
)

const (
	version = "opendepin-groth16 2, gnark v0.14.0"
	// A circuit of 256 readings with its key takes about 400 MB.
	maxLoaded = 2
)

// loaded is one circuit in memory, with its proving key once setup has run.
type loaded struct {
	name string // hex of the circuit hash
	sys  *cs.R1CS
	prog *program // nil when it came from an .r1cs file
	pk   *groth16.ProvingKey
}

type engine struct {
	circuits []*loaded // most recently used first
	poseidon map[int]*poseidon
}

// coded is an error whose code the parent can act on.
type coded struct{ code, text string }

func (c coded) Error() string { return c.text }

func codeOf(err error) string {
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	return "refused"
}

// extraOps is filled by files that only benchmark builds contain.
var extraOps = map[string]func(*engine, request) (reply, [][]byte, error){}

func (e *engine) answer(req request) (head reply, blobs [][]byte, err error) {
	defer func() {
		if x := recover(); x != nil {
			head, blobs, err = nil, nil, coded{"panic", fmt.Sprint("panic: ", x)}
		}
	}()
	switch req.Op {
	case "hello":
		return reply{"version": version}, nil, nil
	case "load":
		return e.load(req)
	case "setup":
		return e.setup(req)
	case "prove":
		return e.prove(req)
	case "outputs":
		return e.outputs(req)
	case "witness":
		return e.witnessOnly(req)
	case "check":
		return e.check(req)
	case "verify":
		return verify(req)
	case "field_root":
		return e.fieldRoot(req)
	}
	if op := extraOps[req.Op]; op != nil {
		return op(e, req)
	}
	return nil, nil, fmt.Errorf("unknown op %q", req.Op)
}

// load takes a program (one blob), or the path of an .r1cs file.
func (e *engine) load(req request) (reply, [][]byte, error) {
	var raw []byte
	var err error
	fromFile := len(req.blobs) == 0
	if fromFile {
		raw, err = os.ReadFile(req.Path)
	} else {
		raw = req.blobs[0]
	}
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(raw)
	c := &loaded{name: hex.EncodeToString(sum[:])}
	if found := e.find(c.name); found != nil {
		return found.summary(), nil, nil
	}
	if fromFile {
		c.sys, err = readR1CS(raw)
	} else if c.prog, err = parseProgram(raw); err == nil {
		c.sys = c.prog.system()
	}
	if err != nil {
		return nil, nil, err
	}
	e.circuits = append([]*loaded{c}, e.circuits...)
	if len(e.circuits) > maxLoaded {
		e.circuits[maxLoaded] = nil
		e.circuits = e.circuits[:maxLoaded]
	}
	debug.FreeOSMemory()
	return c.summary(), nil, nil
}

func (c *loaded) summary() reply {
	return reply{"circuit": c.name, "constraints": c.sys.GetNbConstraints()}
}

// find returns a loaded circuit and makes it the most recently used one.
func (e *engine) find(name string) *loaded {
	for i, c := range e.circuits {
		if c.name == name {
			copy(e.circuits[1:i+1], e.circuits[:i])
			e.circuits[0] = c
			return c
		}
	}
	return nil
}

func (e *engine) need(name string) (*loaded, error) {
	if c := e.find(name); c != nil {
		return c, nil
	}
	return nil, coded{"not-loaded", "circuit " + name + " is not loaded"}
}

func (e *engine) setup(req request) (reply, [][]byte, error) {
	c, err := e.need(req.Circuit)
	if err != nil {
		return nil, nil, err
	}
	keys, made, err := openKeys(req.Path, c)
	if err != nil {
		return nil, nil, err
	}
	c.pk = keys.pk
	debug.FreeOSMemory()
	return reply{"made": made, "keys": keys.header}, nil, nil
}

func (e *engine) prove(req request) (reply, [][]byte, error) {
	c, err := e.need(req.Circuit)
	if err != nil {
		return nil, nil, err
	}
	if c.pk == nil {
		return nil, nil, coded{"no-keys", "setup has not run for circuit " + c.name}
	}
	start := time.Now()
	wires, err := c.witness(req)
	if err != nil {
		return nil, nil, err
	}
	solved := time.Now()
	proof, err := groth16.Prove(c.sys, c.pk, full{v: wires[1:]})
	if err != nil {
		return nil, nil, coded{"unsatisfied", err.Error()}
	}
	times := reply{"witness_s": solved.Sub(start).Seconds(), "prove_s": time.Since(solved).Seconds()}
	return times, [][]byte{encodeProof(proof), encodeElements(wires[1:c.sys.GetNbPublicVariables()])}, nil
}

// outputs runs the blocks that the program's outputs hang on, with no keys needed.
func (e *engine) outputs(req request) (reply, [][]byte, error) {
	c, err := e.need(req.Circuit)
	if err != nil {
		return nil, nil, err
	}
	if c.prog == nil || len(req.blobs) != 1 {
		return nil, nil, errors.New("outputs takes a program and one blob of inputs")
	}
	given, err := decodeElements(req.blobs[0])
	if err != nil {
		return nil, nil, err
	}
	wires, err := c.prog.run(given, nil, c.prog.needed)
	if err != nil {
		return nil, nil, err
	}
	found := make(fr.Vector, len(c.prog.Outputs))
	for i, w := range c.prog.Outputs {
		found[i] = wires[w]
	}
	return reply{}, [][]byte{encodeElements(found)}, nil
}

func (e *engine) witnessOnly(req request) (reply, [][]byte, error) {
	c, err := e.need(req.Circuit)
	if err != nil {
		return nil, nil, err
	}
	wires, err := c.witness(req)
	return reply{}, [][]byte{encodeElements(wires)}, err
}

// check says whether a witness satisfies every row, with no keys needed.
func (e *engine) check(req request) (reply, [][]byte, error) {
	c, err := e.need(req.Circuit)
	if err != nil {
		return nil, nil, err
	}
	wires, err := c.witness(req)
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.sys.Solve(full{v: wires[1:]}); err != nil {
		return reply{"ok": false, "why": err.Error()}, nil, nil
	}
	return reply{"ok": true}, nil, nil
}

// verify needs no circuit: blobs are the verification key, the proof and the public inputs.
func verify(req request) (reply, [][]byte, error) {
	if len(req.blobs) != 3 {
		return nil, nil, errors.New("verify takes a key, a proof and the public inputs")
	}
	vk, err := decodeVK(req.blobs[0])
	if err != nil {
		return nil, nil, coded{"bad-key", err.Error()}
	}
	no := func(err error) (reply, [][]byte, error) { return reply{"ok": false, "why": err.Error()}, nil, nil }
	proof, err := decodeProof(req.blobs[1])
	if err != nil {
		return no(err)
	}
	public, err := decodeElements(req.blobs[2])
	if err != nil {
		return no(err)
	}
	if err := groth16.Verify(proof, vk, public); err != nil {
		return no(err)
	}
	return reply{"ok": true}, nil, nil
}

// fieldRoot hashes the words of `count` readings into the field root of a 4-ary tree of the given depth.
func (e *engine) fieldRoot(req request) (reply, [][]byte, error) {
	if len(req.blobs) != 1 || req.Depth < 0 || req.Depth > maxDepth || req.Count < 0 {
		return nil, nil, errors.New("field_root takes words, a depth and a count")
	}
	words, err := decodeElements(req.blobs[0])
	if err != nil {
		return nil, nil, err
	}
	if len(words) > 1<<(2*req.Depth) {
		return nil, nil, fmt.Errorf("%d words do not fit a tree of depth %d", len(words), req.Depth)
	}
	root := fieldRoot(e.hash(3), e.hash(5), words, req.Depth, req.Count)
	return reply{}, [][]byte{encodeElements(fr.Vector{root})}, nil
}

func (e *engine) hash(width int) *poseidon {
	if e.poseidon == nil {
		e.poseidon = map[int]*poseidon{}
	}
	if e.poseidon[width] == nil {
		e.poseidon[width] = newPoseidon(width)
	}
	return e.poseidon[width]
}

// full is a witness we already hold in whole: gnark's Solve and Prove ask it for Vector() only. The circuit's
// private wires are all declared secret, so the solver has nothing to compute and checks every row.
type full struct {
	witness.Witness
	v fr.Vector
}

func (f full) Vector() any { return f.v }

// witness runs the program on given inputs (with "public"), or takes all wires as they come (without).
func (c *loaded) witness(req request) (fr.Vector, error) {
	if len(req.blobs) != 1 {
		return nil, errors.New("one blob of inputs is due")
	}
	values, err := decodeElements(req.blobs[0])
	if err != nil {
		return nil, err
	}
	if req.Public != nil && c.prog != nil {
		public, err := decimals(req.Public)
		if err != nil {
			return nil, err
		}
		return c.prog.witness(values, public)
	}
	_, secret, public := c.sys.GetNbVariables()
	if len(values) != secret+public || !values[0].IsOne() {
		return nil, fmt.Errorf("a whole witness has %d wires, the first of them 1", secret+public)
	}
	return values, nil
}

func decimals(texts map[string]string) (map[string]fr.Element, error) {
	values := map[string]fr.Element{}
	for name, text := range texts {
		v, ok := new(big.Int).SetString(text, 10)
		if !ok || v.Sign() < 0 || v.Cmp(fr.Modulus()) >= 0 {
			return nil, fmt.Errorf("public input %s is not in 0..r-1", name)
		}
		var x fr.Element
		x.SetBigInt(v)
		values[name] = x
	}
	return values, nil
}
