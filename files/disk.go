package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"syscall"
	"time"

	"colonnade/core"
)

// Disk keeps contents in a folder: ab/cd/abcd... by their addresses, and what is staged in tmp. Several processes may share the
// folder, on one machine or by a network file system that renames atomically.
type Disk struct {
	root *os.Root // no path leads out of it, whatever links there are
}

var _ Store = (*Disk)(nil)

// stageFolder holds contents that are not kept yet. No address has such a name.
const stageFolder = "tmp"

// OpenDisk opens the folder, and makes it when it is not there.
func OpenDisk(folder string) (*Disk, error) {
	const op = "files.OpenDisk"
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("the folder of the files, %s, cannot be made: name another with --files", folder), err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("the folder of the files, %s, cannot be opened", folder), err)
	}
	if err := root.MkdirAll(stageFolder, 0o700); err != nil {
		_ = root.Close()
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("nothing can be written to the folder of the files, %s: it must belong to the user who runs the server", folder), err)
	}
	return &Disk{root: root}, nil
}

// Close ends the use of the folder.
func (d *Disk) Close() error { return core.E("files.Close", d.root.Close()) }

func (a Address) path() string { return path.Join(string(a[:2]), string(a[2:4]), string(a)) }

// Stage implements [Store].
func (d *Disk) Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error) {
	const op = "files.Stage"
	s := &stagedFile{disk: d, name: path.Join(stageFolder, string(core.NewID()))}
	f, err := d.root.OpenFile(s.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, core.E(op, diskError(err))
	}
	if err := s.fill(f, r, limit); err != nil {
		_ = f.Close()
		s.Drop()
		return nil, core.E(op, err)
	}
	if err := errors.Join(f.Sync(), f.Close(), ctx.Err()); err != nil {
		s.Drop()
		return nil, core.E(op, diskError(err))
	}
	return s, nil
}

// stagedFile is a content in a file of the stage folder.
type stagedFile struct {
	disk    *Disk
	name    string
	address Address
	size    int64
}

func (s *stagedFile) fill(f *os.File, r io.Reader, limit int64) (err error) {
	hash := sha256.New()
	if s.size, err = io.Copy(&onDisk{io.MultiWriter(f, hash)}, io.LimitReader(r, limit+1)); err != nil {
		return err
	}
	if s.size > limit {
		return TooLarge(limit)
	}
	s.address = Address(hex.EncodeToString(hash.Sum(nil)))
	return nil
}

// ErrTooLarge is the cause of the error of [TooLarge].
var ErrTooLarge = errors.New("the file is too large")

// TooLarge is the error for a file of more than limit bytes.
func TooLarge(limit int64) error {
	return core.E("files.TooLarge", core.Limit, fmt.Sprintf("the file has more than %d bytes, which is the most that this server takes", limit), ErrTooLarge)
}

// onDisk gives the errors of writing their kind; those of reading are the sender's.
type onDisk struct{ io.Writer }

func (w *onDisk) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, diskError(err)
}

func diskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return core.E("files.disk", core.Full, "the disk of the files is full: nothing was kept; make room and try again", err)
	}
	return core.E("files.disk", err)
}

func (s *stagedFile) Address() Address { return s.address }
func (s *stagedFile) Size() int64      { return s.size }

func (s *stagedFile) Open() (Content, error) {
	f, err := s.disk.root.Open(s.name)
	if err != nil {
		return nil, core.E("files.Open", err)
	}
	return f, nil
}

// Keep implements [Staged]: the content is synced already, so that what the rename shows is whole after a crash.
func (s *stagedFile) Keep(context.Context) error {
	const op = "files.Keep"
	to := s.address.path()
	if i, err := s.disk.root.Stat(to); err == nil && i.Size() == s.size {
		return nil
	}
	if err := s.disk.root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return core.E(op, diskError(err))
	}
	if err := s.disk.root.Rename(s.name, to); err != nil {
		return core.E(op, diskError(err))
	}
	for dir := path.Dir(to); ; dir = path.Dir(dir) { // each of them may be new
		if err := s.disk.sync(dir); err != nil {
			return core.E(op, diskError(err))
		}
		if dir == "." {
			return nil
		}
	}
}

// sync makes the names in a folder durable.
func (d *Disk) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *stagedFile) Drop() { _ = s.disk.root.Remove(s.name) } // what stays is tidied up later

// Open implements [Store].
func (d *Disk) Open(_ context.Context, a Address) (Content, error) {
	const op = "files.Open"
	if _, err := ParseAddress(string(a)); err != nil {
		return nil, core.E(op, err)
	}
	f, err := d.root.Open(a.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, core.E(op, core.NotFound, "there is no content "+string(a), err)
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	return f, nil
}

// Remove implements [Store].
func (d *Disk) Remove(_ context.Context, a Address) error {
	const op = "files.Remove"
	if _, err := ParseAddress(string(a)); err != nil {
		return core.E(op, err)
	}
	if err := d.root.Remove(a.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return core.E(op, err)
	}
	return nil
}

// All implements [Store].
func (d *Disk) All(ctx context.Context) iter.Seq2[Address, error] {
	return func(yield func(Address, error) bool) {
		err := fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // taken away meanwhile
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case e.IsDir() && name != "." && len(e.Name()) != 2: // of something else
				return fs.SkipDir
			}
			if a, err := ParseAddress(e.Name()); err == nil && name == a.path() && !yield(a, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", core.E("files.All", err))
		}
	}
}

// Tidy implements [Store].
func (d *Disk) Tidy(ctx context.Context, before time.Time) error {
	const op = "files.Tidy"
	entries, err := fs.ReadDir(d.root.FS(), stageFolder)
	if err != nil {
		return core.E(op, err)
	}
	for _, e := range entries {
		i, err := e.Info()
		if err != nil || i.ModTime().After(before) {
			continue // it is gone, or somebody is at it
		}
		if err := d.root.Remove(path.Join(stageFolder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return core.E(op, err)
		}
	}
	return ctx.Err()
}
