package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"

	groth16 "github.com/consensys/gnark/backend/groth16/bn254"
)

// keyHeader is the file <circuit>.keys.json, written last: if it is there, the proving key beside it is whole.
type keyHeader struct {
	Circuit     string `json:"circuit"`
	Development bool   `json:"development"` // made by one party, who could have kept what forges proofs
	Engine      string `json:"engine"`
	PKSHA256    string `json:"pk_sha256"`
	VK          string `json:"vk"` // hex, see encodeVK
}

type keyPair struct {
	header keyHeader
	pk     *groth16.ProvingKey
}

// openKeys reads the circuit's keys from dir, or makes development keys there; made says which.
func openKeys(dir string, c *loaded) (keys keyPair, made bool, err error) {
	headPath, pkPath := filepath.Join(dir, c.name+".keys.json"), filepath.Join(dir, c.name+".pk")
	unlock, err := lock(dir, c.name)
	if err != nil {
		return keys, false, err
	}
	defer unlock()
	raw, err := os.ReadFile(headPath)
	if errors.Is(err, os.ErrNotExist) {
		keys, err = makeKeys(c, headPath, pkPath)
		return keys, true, err
	}
	if err != nil {
		return keys, false, err
	}
	refuse := func(why string) (keyPair, bool, error) {
		return keyPair{}, false, coded{"bad-key", headPath + ": " + why + "; remove it to make new keys"}
	}
	if err := json.Unmarshal(raw, &keys.header); err != nil {
		return refuse("not a key header")
	}
	if keys.header.Circuit != c.name {
		return refuse("keys of another circuit")
	}
	if keys.header.Engine != version {
		return refuse("keys made by " + keys.header.Engine)
	}
	vk, err := hex.DecodeString(keys.header.VK)
	if err == nil {
		_, err = decodeVK(vk)
	}
	if err != nil {
		return refuse("bad verification key: " + err.Error())
	}
	dump, err := os.ReadFile(pkPath)
	if err != nil {
		return refuse(err.Error())
	}
	// The dump is read without any check of its points, so it must be the very bytes we wrote.
	if sum := sha256.Sum256(dump); hex.EncodeToString(sum[:]) != keys.header.PKSHA256 {
		return refuse("the proving key was altered")
	}
	keys.pk = &groth16.ProvingKey{}
	return keys, false, keys.pk.ReadDump(bytes.NewReader(dump))
}

// lock lets one engine at a time make or read a circuit's keys: two that made them at once would prove under two keys.
func lock(dir, name string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return f.Close, syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
}

func makeKeys(c *loaded, headPath, pkPath string) (keys keyPair, err error) {
	keys.pk = &groth16.ProvingKey{}
	var vk groth16.VerifyingKey
	if err := groth16.Setup(c.sys, keys.pk, &vk); err != nil {
		return keys, err
	}
	encoded, err := encodeVK(&vk)
	if err != nil {
		return keys, err
	}
	sum := sha256.New()
	if err := save(pkPath, sum, keys.pk.WriteDump); err != nil {
		return keys, fmt.Errorf("proving key: %w", err)
	}
	keys.header = keyHeader{c.name, true, version, hex.EncodeToString(sum.Sum(nil)), hex.EncodeToString(encoded)}
	raw, err := json.Marshal(keys.header)
	if err != nil {
		return keys, err
	}
	return keys, save(headPath, sha256.New(), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// save writes a file so that it is there in whole and on disk, or not at all.
func save(path string, sum hash.Hash, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, rightly, once it is renamed
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	if err := errors.Join(write(w), w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
