package vcenter

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/vmware/govmomi/vim25/types"
)

// seekData and seekHole are lseek's values for SEEK_DATA and SEEK_HOLE, which differ between systems.
func seekData() (data, hole int) {
	if runtime.GOOS == "darwin" {
		return 4, 3
	}
	return 3, 4
}

const copyChunk = 4 << 20

// copyBytes copies only the parts of a sparse file that hold data, and stops when the job is cancelled.
func copyBytes(j *job, from, to string) types.BaseMethodFault {
	src, err := os.Open(from)
	if err != nil {
		return fileFault(from, err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY, 0o600)
	if err != nil {
		return fileFault(to, err)
	}
	defer dst.Close()
	buffer := make([]byte, copyChunk)
	var offset int64
	for {
		start, end, err := nextData(src, offset)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fileFault(from, err)
		}
		for at := start; at < end; {
			if fault := j.cancelled(); fault != nil {
				return fault
			}
			n, err := src.ReadAt(buffer[:min(copyChunk, end-at)], at)
			if n == 0 && err != nil {
				return fileFault(from, err)
			}
			if _, err := dst.WriteAt(buffer[:n], at); err != nil {
				return fileFault(to, err)
			}
			at += int64(n)
		}
		offset = end
	}
}

// nextData finds the next part with data from offset on; io.EOF when there is none.
// A file system that does not know of holes answers with the whole rest.
func nextData(f *os.File, offset int64) (start, end int64, err error) {
	data, hole := seekData()
	start, err = f.Seek(offset, data)
	if errors.Is(err, syscall.ENXIO) {
		return 0, 0, io.EOF
	}
	if err == nil {
		end, err = f.Seek(start, hole)
		return start, end, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if offset >= info.Size() {
		return 0, 0, io.EOF
	}
	return offset, info.Size(), nil
}

// allocated is what a file's data takes, without its holes.
func allocated(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}
