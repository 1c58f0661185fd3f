package core

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"

	"github.com/google/uuid"
)

// ID is the primary key of a record: a UUID in its canonical lower-case form.
type ID string

// NewID returns a UUIDv7: unique, and ordered by the time of its making to the millisecond.
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

// HashID returns the UUID that stands for the texts: the same texts have the same one. Each counts with its length, so that no
// two lists have one id.
func HashID(parts ...string) ID {
	h := sha256.New()
	for _, s := range parts {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by a rule of one's own
	return ID(id.String())
}

// ParseID returns the canonical form of s, or an error when s is no UUID.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return "", E("core.ParseID", Invalid, "a uuid has 36 characters")
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return "", E("core.ParseID", Invalid, "not a uuid: use the form 0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b")
	}
	return ID(u.String()), nil
}

// Record holds values by column name, each in the Go form of its kind (see [Kind]).
// A key with the value nil is NULL; a missing key says nothing about the column.
type Record map[string]any

// Clone returns a copy that shares no map with r.
func (r Record) Clone() Record { return maps.Clone(r) }

// Op is what happens to a record.
type Op string

// The operations that privileges, rules and events name.
const (
	Create Op = "create"
	Read   Op = "read"
	Update Op = "update"
	Delete Op = "delete"
)

// What else is done to records, which privileges name alone: see package authz.
const (
	Append   Op = "append"
	AppendTo Op = "append_to"
	Assign   Op = "assign"
	Share    Op = "share"
)
