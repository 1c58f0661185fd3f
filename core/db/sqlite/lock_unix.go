//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"colonnade/core"
)

// lock takes the file beside the database that says which process holds it. The kernel gives it back when the
// process ends, however it ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, core.E("sqlite.lock", core.Unavailable, fmt.Sprintf("the data directory cannot be used: %v", err), err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder)
		_ = f.Close()
		return nil, core.E("sqlite.lock", core.Unavailable, fmt.Sprintf("another server (process %s) is using this data directory: stop it, or choose another directory with --data", holder[:n]), err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return f, nil
}
