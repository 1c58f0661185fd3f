package tables

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"colonnade/core"
	"colonnade/core/db"
)

// What is hashed says first what it is and in which form, so that no two kinds of things have one hash. See
// docs/decisions/014 for the forms.
const (
	versionForm = "colonnade version 1\n"
	sealForm    = "colonnade seal 1\n"
	auditForm   = "colonnade audit 1\n"
)

// digest is a SHA-256 hash.
type digest [sha256.Size]byte

// String returns the hash in hexadecimal.
func (d digest) String() string { return fmt.Sprintf("%x", d[:]) }

// saltSize is that of the random bytes with which a version is hashed. Without them nobody can try out what an erased
// version held.
const saltSize = 16

// sealing makes what is hashed: each part with its length.
type sealing struct{ b []byte }

func (s *sealing) text(parts ...string) {
	for _, p := range parts {
		s.b = binary.AppendUvarint(s.b, uint64(len(p)))
		s.b = append(s.b, p...)
	}
}

func (s *sealing) number(n int64) { s.b = binary.BigEndian.AppendUint64(s.b, uint64(n)) }

func (s *sealing) sum() digest { return sha256.Sum256(s.b) }

// versionKey names a version of a record. The table is the physical one.
type versionKey struct {
	table   string
	id      core.ID
	version int64
}

// storedVersion is a row of the history as the database has it.
type storedVersion struct {
	versionKey
	there         bool // whether there is such a row
	op            string
	actor, behalf core.ID
	cause         string
	causeID       string
	at            int64  // microseconds since 1970
	data          []byte // nil for a delete
}

// versionColumns are what storedVersion is read from, of the row h.
const versionColumns = `CAST(h.version AS bigint), h.op, CAST(h.actor AS text), CAST(h.behalf AS text), h.cause, h.cause_id, CAST(h.at AS text), CAST(h.data AS text)`

// into returns where the columns are scanned to, and what then completes v.
func (v *storedVersion) into() (dest []any, done func()) {
	var version int64
	var at string
	return []any{&version, &v.op, &v.actor, &v.behalf, &v.cause, &v.causeID, &at, &v.data}, func() {
		v.there, v.at = v.op != "", micros(at)
	}
}

// hash is what a seal keeps of the version.
func (v *storedVersion) hash(salt []byte) digest {
	s := sealing{b: make([]byte, 0, 256+len(v.data))}
	s.b = append(append(s.b, versionForm...), salt...)
	s.text(v.table, string(v.id))
	s.number(v.version)
	s.text(v.op, string(v.actor), string(v.behalf), v.cause, v.causeID)
	s.number(v.at)
	if v.data != nil {
		s.b = append(s.b, 1)
		s.b = appendCanonical(s.b, v.data)
	}
	return s.sum()
}

// micros reads a time as either database writes it, in microseconds since 1970; 0 for what is none.
func micros(s string) int64 {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro()
		}
	}
	return 0
}

// appendCanonical appends a record of the history in the one form that says the same, whatever database kept it. What is no
// such record stays as it is.
func appendCanonical(b, raw []byte) []byte {
	canonical, err := core.CanonicalRecord(raw)
	if err != nil {
		return append(append(b, 0), raw...)
	}
	return append(b, canonical...)
}

// leaf is what a seal says of a version.
type leaf struct {
	versionKey
	at   int64
	hash digest // of nothing when the history did not have the version any more
}

// leafSize is that of a leaf in a seal: the id of the record, the version, the time, the number of the table, the hash.
const leafSize = 16 + 8 + 8 + 2 + sha256.Size

// packLeaves returns the leaves as a seal keeps them, and the tables that they name by their numbers.
func packLeaves(leaves []leaf) (tables []string, packed []byte) {
	packed = make([]byte, 0, len(leaves)*leafSize)
	for i := range leaves {
		l := &leaves[i]
		n := slices.Index(tables, l.table)
		if n < 0 {
			n, tables = len(tables), append(tables, l.table)
		}
		id, _ := uuid.Parse(string(l.id)) // one that somebody has spoilt is told by the hash
		packed = append(packed, id[:]...)
		packed = binary.BigEndian.AppendUint64(packed, uint64(l.version))
		packed = binary.BigEndian.AppendUint64(packed, uint64(l.at))
		packed = binary.BigEndian.AppendUint16(packed, uint16(n))
		packed = append(packed, l.hash[:]...)
	}
	return tables, packed
}

// unpackLeaves is the reverse of packLeaves. It fails when the seal does not have that form.
func unpackLeaves(tables []string, packed []byte) ([]leaf, error) {
	if len(packed)%leafSize != 0 {
		return nil, fmt.Errorf("%d bytes are no leaves", len(packed))
	}
	out := make([]leaf, len(packed)/leafSize)
	for i := range out {
		p := packed[i*leafSize:]
		n := int(binary.BigEndian.Uint16(p[32:]))
		if n >= len(tables) {
			return nil, fmt.Errorf("leaf %d names no table", i)
		}
		out[i] = leaf{
			versionKey: versionKey{tables[n], core.ID(uuid.UUID(p[:16]).String()), int64(binary.BigEndian.Uint64(p[16:]))},
			at:         int64(binary.BigEndian.Uint64(p[24:])),
		}
		copy(out[i].hash[:], p[34:])
	}
	return out, nil
}

// seal is a row of "_seal".
type seal struct {
	number     int64
	at         int64
	from, to   Cursor // behind the first place, up to the second
	count      int64
	auditSeq   int64 // the last row of the audit then, and its hash
	auditHead  digest
	head       digest
	tables     []string
	packed     []byte
	salts      []byte
	leaves     []leaf
	unreadable error
}

// sum is the hash of the seal that comes after prev. Places are not in it: another database has others.
func (s *seal) sum(prev digest) digest {
	h := sealing{b: make([]byte, 0, len(s.packed)+256)}
	h.b = append(append(h.b, sealForm...), prev[:]...)
	h.number(s.number)
	h.number(s.at)
	h.number(s.auditSeq)
	h.b = append(h.b, s.auditHead[:]...)
	h.number(int64(len(s.tables)))
	h.text(s.tables...)
	h.b = append(h.b, s.packed...)
	return h.sum()
}

func (s *seal) salt(i int) []byte { return s.salts[i*saltSize : (i+1)*saltSize] }

// sealColumns are what a seal is read from.
const sealColumns = `number, CAST(at AS text), from_tx, from_seq, to_tx, to_seq, leaf_count, audit_seq, audit_head, head, tables, leaves, salts`

func (s *seal) scan(scan func(...any) error) error {
	var at, tables string
	var auditHead, head []byte
	err := scan(&s.number, &at, &s.from.Tx, &s.from.Seq, &s.to.Tx, &s.to.Seq, &s.count, &s.auditSeq, &auditHead, &head, &tables, &s.packed, &s.salts)
	if err != nil {
		return err
	}
	s.at = micros(at)
	copy(s.auditHead[:], auditHead)
	copy(s.head[:], head)
	s.unreadable = json.Unmarshal([]byte(tables), &s.tables)
	if s.unreadable == nil {
		s.leaves, s.unreadable = unpackLeaves(s.tables, s.packed)
	}
	if s.unreadable == nil && len(s.salts) != saltSize*len(s.leaves) {
		s.unreadable = fmt.Errorf("%d bytes are not the salts of %d leaves", len(s.salts), len(s.leaves))
	}
	return nil
}

// seals reads seals in their order: those behind the number, at most limit.
func (s *Store) seals(conn db.Conn, after int64, limit int) *db.Builder {
	return db.New(s.db.Dialect).Write("SELECT ", sealColumns, ` FROM "_seal" WHERE number > `).Arg(after).Write(" ORDER BY number LIMIT ", strconv.Itoa(limit))
}
