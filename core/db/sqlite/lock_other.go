//go:build !unix

package sqlite

import (
	"fmt"
	"os"

	"colonnade/core"
)

// lock takes the file beside the database that says that a process holds it: it is made anew, and removed at the end.
func lock(path string) (*os.File, error) {
	_ = os.Remove(path) // fails while another process has it open
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, core.E("sqlite.lock", core.Unavailable, fmt.Sprintf("another server is using this data directory: stop it, or choose another directory with --data (%v)", err), err)
	}
	return f, nil
}
