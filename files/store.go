package files

import (
	"context"
	"encoding/hex"
	"io"
	"iter"
	"time"

	"colonnade/core"
)

// Address is the SHA-256 of a content, in 64 hexadecimal digits of lower case.
type Address string

// ParseAddress returns s as an address, or says that it is none.
func ParseAddress(s string) (Address, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != s {
		return "", core.E("files.ParseAddress", core.Invalid, "the address of a content is its SHA-256 in 64 hexadecimal digits")
	}
	return Address(s), nil
}

// Store keeps contents under their addresses. Its methods are called at the same time; several processes may share what is behind
// it.
type Store interface {
	// Stage takes in a content of at most limit bytes, from its beginning to its end, where nobody sees it yet. The error of a
	// longer one is [TooLarge].
	Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error)

	// Open returns the content, or an error of the kind [core.NotFound].
	Open(ctx context.Context, a Address) (Content, error)

	// Remove takes the content away. One that is not there is no error.
	Remove(ctx context.Context, a Address) error

	// All yields the address of every content that is kept, in any order.
	All(ctx context.Context) iter.Seq2[Address, error]

	// Tidy forgets what was staged before the moment and is neither kept nor dropped, by processes that died.
	Tidy(ctx context.Context, before time.Time) error
}

// Staged is a content that was taken in. It is used by one goroutine.
type Staged interface {
	Address() Address
	Size() int64

	// Open returns the content, to look at it.
	Open() (Content, error)

	// Keep brings the content to its address; it is durable there when Keep returns nil. Keep may be called twice, and when
	// the content is there already.
	Keep(ctx context.Context) error

	// Drop ends the use. What was not kept is gone then.
	Drop()
}

// Content is read from any place on. It is used by one goroutine.
type Content interface {
	io.ReadSeekCloser
}
