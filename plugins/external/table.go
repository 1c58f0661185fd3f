package external

import (
	"encoding/binary"
	"errors"

	"colonnade/core"
)

// maxElements is how many references the tables of a module hold together, eight bytes each. The sandbox bounds the memory of a
// module and not its tables, which a module could declare, or let grow, beyond all memory there is.
const maxElements = 1 << 20

// tableSection is the number of the section that declares tables (WebAssembly Core Specification 2.0, 5.5.7).
const tableSection = 4

var errModule = core.E("external.boundTables", core.Invalid, "the file is no WebAssembly module, or one of a form that is not supported: build it for wasip1")

// boundTables returns the module with tables that cannot grow beyond what there may be. One that declares more is refused.
func boundTables(module []byte) ([]byte, error) {
	const header = 8
	if len(module) < header || string(module[:4]) != "\x00asm" {
		return nil, errModule
	}
	out := append(make([]byte, 0, len(module)+16), module[:header]...)
	for rest := module[header:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errModule
		}
		body := rest[1+n : 1+n+int(size)]
		rest = rest[1+n+int(size):]
		if id == tableSection {
			var err error
			if body, err = boundSection(body); err != nil {
				return nil, err
			}
		}
		out = append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
	}
	return out, nil
}

// boundSection gives every table a maximum. Its sum stays within what there may be.
func boundSection(b []byte) ([]byte, error) {
	r := uvarints{b: b}
	count := r.next()
	out := binary.AppendUvarint(nil, count)
	left := uint64(maxElements)
	for range min(count, uint64(len(b))) {
		kind := r.byte()
		flags := r.byte()
		least := r.next()
		most := left
		if flags == 1 {
			most = r.next()
		}
		if r.err != nil || kind != 0x70 && kind != 0x6f || flags > 1 {
			return nil, errModule
		}
		if least > left {
			return nil, core.E("external.boundSection", core.Limit, "the module declares tables of more than 1,048,576 references")
		}
		most = max(least, min(most, left/count))
		left -= most
		out = binary.AppendUvarint(binary.AppendUvarint(append(out, kind, 1), least), most)
	}
	if r.err != nil || len(r.b) > 0 {
		return nil, errModule
	}
	return out, nil
}

// uvarints reads numbers as a module holds them. The first error sticks.
type uvarints struct {
	b   []byte
	err error
}

func (r *uvarints) byte() byte {
	if len(r.b) == 0 {
		r.err = errors.New("too short")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *uvarints) next() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.err, r.b = errors.New("no number"), nil
		return 0
	}
	r.b = r.b[n:]
	return v
}
