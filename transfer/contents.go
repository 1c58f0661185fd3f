package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/files"
	"colonnade/tables"
	"colonnade/transfer/archive"
)

// contentsPart is the part of a dump that holds the contents of files, behind all tables, in pieces. No table has such a name.
var contentsPart = tables.Part{Name: "contents of files", Columns: []tables.PartColumn{
	{Name: "address", Form: db.FormText}, {Name: "data", Form: db.FormBytes}, {Name: "offset", Form: db.FormInteger},
}}

// pieceSize is the size of a piece of a content.
const pieceSize = 64 << 10

// dump gives everything that the database holds, and then the contents of its files.
func (s *Service) dump(ctx context.Context, to tables.Dumping) error {
	of := &addresses{Dumping: to}
	if err := s.store.Dump(ctx, of); err != nil {
		return err
	}
	if err := to.Part(contentsPart); err != nil {
		return err
	}
	for _, a := range of.all {
		if err := s.content(ctx, files.Address(hex.EncodeToString(a[:])), to); err != nil {
			return err
		}
	}
	return nil
}

// addresses passes a dump on, and remembers the addresses of contents that it names.
type addresses struct {
	tables.Dumping
	here bool
	all  [][sha256.Size]byte
}

// Part implements [tables.Dumping].
func (a *addresses) Part(p tables.Part) error {
	a.here = p.Name == "_blob"
	return a.Dumping.Part(p)
}

// Row implements [tables.Dumping].
func (a *addresses) Row(values [][]byte) error {
	if a.here {
		var address [sha256.Size]byte
		if n, err := hex.Decode(address[:], values[1]); err != nil || n != len(address) { // created_at, sha256, size
			return core.E("transfer.dump", core.At{Table: "_blob"}, fmt.Errorf("%.80q is no address", values[1]))
		}
		a.all = append(a.all, address)
	}
	return a.Dumping.Row(values)
}

// content gives one content in pieces. One that is not there any more, or not what it was, is given as NULL: a file may be
// deleted while the dump is made, and one that is lost must not keep all others from being copied.
func (s *Service) content(ctx context.Context, a files.Address, to tables.Dumping) error {
	c, err := s.whole(ctx, a)
	if err != nil {
		if core.KindOf(err) != core.NotFound {
			return err
		}
		s.o.Log.WarnContext(ctx, "transfer: the content of a file is not there, and is left out", "sha256", string(a), "err", err)
		return to.Row([][]byte{[]byte(a), nil, []byte("0")})
	}
	defer func() { _ = c.Close() }()
	piece := make([]byte, pieceSize)
	for offset := int64(0); ; {
		n, err := io.ReadFull(c, piece)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return core.E("transfer.content", core.Unavailable, "the content of a file cannot be read", err)
		}
		if n > 0 || offset == 0 {
			if err := to.Row([][]byte{[]byte(a), piece[:n], strconv.AppendInt(nil, offset, 10)}); err != nil {
				return err
			}
		}
		if offset += int64(n); n < len(piece) {
			return nil
		}
	}
}

// whole opens a content whose bytes are those of its address.
func (s *Service) whole(ctx context.Context, a files.Address) (files.Content, error) {
	const op = "transfer.whole"
	if s.o.Contents == nil {
		return nil, core.E(op, core.NotFound, "there is no folder of files")
	}
	c, err := s.o.Contents.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err = io.Copy(h, c); err == nil {
		_, err = c.Seek(0, io.SeekStart)
	}
	if err == nil && hex.EncodeToString(h.Sum(nil)) != string(a) {
		err = core.E(op, core.NotFound, "the content of a file is damaged")
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// keeping takes a dump: the contents itself, and passes the rest on.
type keeping struct {
	tables.Dumping
	ctx  context.Context
	to   files.Store
	here bool

	address string
	pipe    *io.PipeWriter // into what is under way
	done    chan error
}

var _ tables.Dumping = (*keeping)(nil)

// Part implements [tables.Dumping].
func (k *keeping) Part(p tables.Part) error {
	if k.here = p.Name == contentsPart.Name; k.here {
		return nil
	}
	return k.Dumping.Part(p)
}

// Row implements [tables.Dumping].
func (k *keeping) Row(values [][]byte) error {
	switch {
	case !k.here:
		return k.Dumping.Row(values)
	case values[1] == nil:
		return nil
	}
	if address := string(values[0]); k.pipe == nil || address != k.address {
		if err := k.end(); err != nil {
			return err
		}
		k.begin(address)
	}
	if _, err := k.pipe.Write(values[1]); err != nil {
		return errors.Join(err, k.end())
	}
	return nil
}

func (k *keeping) begin(address string) {
	from, to := io.Pipe()
	k.address, k.pipe, k.done = address, to, make(chan error, 1)
	go func() {
		err := k.keep(from, address)
		_ = from.CloseWithError(err)
		k.done <- err
	}()
}

func (k *keeping) keep(from io.Reader, address string) error {
	const op = "transfer.keep"
	if k.to == nil {
		return core.E(op, core.Invalid, "the copy has contents of files, and there is no folder for them")
	}
	staged, err := k.to.Stage(k.ctx, from, math.MaxInt64-1)
	if err != nil {
		return core.E(op, err)
	}
	defer staged.Drop()
	if string(staged.Address()) != address {
		return core.E(op, core.Invalid, "the copy has a content of a file that is not that of its address")
	}
	return core.E(op, staged.Keep(k.ctx))
}

// end ends the content under way.
func (k *keeping) end() error {
	if k.pipe == nil {
		return nil
	}
	_ = k.pipe.Close()
	k.pipe = nil
	return <-k.done
}

// drop ends the content under way, of which not all has come, and returns why it was not kept.
func (k *keeping) drop() error {
	if k.pipe == nil {
		return nil
	}
	_ = k.pipe.CloseWithError(archive.ErrStopped)
	k.pipe = nil
	return <-k.done
}
