package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A frame, both ways: u32 little-endian length of the header, the header (a JSON object), then the blobs whose lengths
// the header's "blobs" lists. Field elements in blobs are 32 bytes little-endian.
const (
	maxHeaderBytes = 1 << 16
	maxBlobBytes   = 64 << 20
	maxBlobs       = 4
)

type request struct {
	Op      string            `json:"op"`
	Circuit string            `json:"circuit"` // hex of the circuit hash
	Path    string            `json:"path"`
	Depth   int               `json:"depth"`
	Count   int               `json:"count"`
	Public  map[string]string `json:"public"` // decimal
	Sizes   []int             `json:"blobs"`
	blobs   [][]byte
}

type reply map[string]any

// readRequest returns io.EOF only where a frame may begin: the ordinary end.
func readRequest(in io.Reader) (request, error) {
	var req request
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return req, err
	}
	head, err := readPart(in, int(binary.LittleEndian.Uint32(size[:])), maxHeaderBytes)
	if err != nil {
		return req, err
	}
	if err := json.Unmarshal(head, &req); err != nil {
		return req, fmt.Errorf("header: %w", err)
	}
	if len(req.Sizes) > maxBlobs {
		return req, errors.New("too many blobs")
	}
	for _, n := range req.Sizes {
		blob, err := readPart(in, n, maxBlobBytes)
		if err != nil {
			return req, err
		}
		req.blobs = append(req.blobs, blob)
	}
	return req, nil
}

func readPart(in io.Reader, n, limit int) ([]byte, error) {
	if n < 0 || n > limit {
		return nil, fmt.Errorf("a frame part of %d bytes is over the limit of %d", n, limit)
	}
	part := make([]byte, n)
	if _, err := io.ReadFull(in, part); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return part, nil
}

func writeReply(out *bufio.Writer, head reply, blobs [][]byte) error {
	sizes := make([]int, len(blobs))
	for i, blob := range blobs {
		sizes[i] = len(blob)
	}
	head["blobs"] = sizes
	raw, err := json.Marshal(head)
	if err != nil {
		return err
	}
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(raw))))
	out.Write(raw)
	for _, blob := range blobs {
		out.Write(blob)
	}
	return out.Flush() // a bufio.Writer keeps its first error
}
