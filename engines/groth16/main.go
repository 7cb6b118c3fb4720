// opendepin-groth16 proves and verifies Groth16 over BN254 with gnark, for one parent process.
//
// It reads requests from standard input and answers on standard output (frame.go). It opens no socket, and no file but
// those under the paths it is given. A request that is wrong, or that panics, is answered with an error; the
// process ends when its input ends, or when the frames themselves make no sense.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/consensys/gnark/logger"
)

func main() {
	logger.Disable()
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "opendepin-groth16:", err)
		os.Exit(1)
	}
}

func serve(input io.Reader, output io.Writer) error {
	e := &engine{}
	in, out := bufio.NewReaderSize(input, 1<<20), bufio.NewWriterSize(output, 1<<20)
	for {
		req, err := readRequest(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		start := time.Now()
		head, blobs, err := e.answer(req)
		if err != nil {
			head, blobs = reply{"error": err.Error(), "code": codeOf(err)}, nil
		}
		head["seconds"] = time.Since(start).Seconds()
		if err := writeReply(out, head, blobs); err != nil {
			return err
		}
	}
}
