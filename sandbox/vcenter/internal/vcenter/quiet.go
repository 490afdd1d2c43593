package vcenter

import (
	"bytes"
	"io"
)

// noise is what the library logs in the normal course of things.
var noise = [][]byte{
	[]byte("*types.FileAlreadyExists"),         // it tries names for a new disk until one is free
	[]byte("open : no such file or directory"), // a restored machine has no vmware.log to write to
}

// QuietLog passes log lines on, without the library's noise.
func QuietLog(w io.Writer) io.Writer { return quietLog{w} }

type quietLog struct{ io.Writer }

// Write drops a line that is noise.
func (q quietLog) Write(line []byte) (int, error) {
	for _, n := range noise {
		if bytes.Contains(line, n) {
			return len(line), nil
		}
	}
	return q.Writer.Write(line)
}
