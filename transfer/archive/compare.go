package archive

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"colonnade/core"
	"colonnade/tables"
)

// Dump is something that gives a dump: a database, an archive.
type Dump func(to tables.Dumping) error

// Compare returns an error that names the first record in which two dumps differ; nil when there is none.
func Compare(was, is Dump) error {
	const op = "archive.Compare"
	left, stop := iter.Pull2(each(was))
	defer stop()
	c := &comparison{left: left}
	if err := is(c); err != nil {
		return core.E(op, err)
	}
	item, err, more := left()
	switch {
	case !more:
		return nil
	case err != nil:
		return core.E(op, err)
	}
	return core.E(op, item.missing())
}

// item is a part, or a row of it.
type item struct {
	part tables.Part
	row  [][]byte // nil of the part itself
}

func (i item) missing() error {
	if i.row == nil {
		return core.E("archive.Compare", core.Invalid, core.At{Table: i.part.Name}, "the copy does not have this table")
	}
	return core.E("archive.Compare", core.Invalid, core.At{Table: i.part.Name}, "the copy does not have the record "+nameOf(i.part, i.row))
}

// ErrStopped ends a dump that nobody takes any more.
var ErrStopped = errors.New("nobody takes the dump any more")

// each yields what a dump gives. An item is good until the next.
func each(d Dump) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		t := &pushed{yield: yield}
		if err := d(t); err != nil && !errors.Is(err, ErrStopped) {
			yield(item{}, err)
		}
	}
}

type pushed struct {
	yield func(item, error) bool
	part  tables.Part
}

func (p *pushed) Part(part tables.Part) error {
	p.part = part
	return p.push(nil)
}

func (p *pushed) Row(values [][]byte) error { return p.push(values) }

func (p *pushed) push(row [][]byte) error {
	if !p.yield(item{p.part, row}, nil) {
		return ErrStopped
	}
	return nil
}

// comparison takes a dump and compares it with another.
type comparison struct {
	left func() (item, error, bool)
	part tables.Part
}

func (c *comparison) Part(p tables.Part) error {
	c.part = p
	return c.next(item{part: p})
}

func (c *comparison) Row(values [][]byte) error { return c.next(item{c.part, values}) }

func (c *comparison) next(is item) error {
	const op = "archive.Compare"
	was, err, more := c.left()
	at := core.At{Table: is.part.Name}
	switch {
	case err != nil:
		return err
	case !more || was.row == nil && is.row != nil:
		return core.E(op, core.Invalid, at, "the copy has more than the original: "+nameOf(is.part, is.row))
	case was.row != nil && is.row == nil:
		return was.missing()
	case is.row == nil && !samePart(was.part, is.part):
		return core.E(op, core.Invalid, at, "the copy has the table "+is.part.Name+" where the original has "+was.part.Name)
	}
	for i := range is.row {
		if !bytes.Equal(is.row[i], was.row[i]) || (is.row[i] == nil) != (was.row[i] == nil) {
			at.Column = is.part.Columns[i].Name
			return core.E(op, core.Invalid, at, fmt.Sprintf("the record %s differs: %.80q, and it was %.80q", nameOf(was.part, was.row), is.row[i], was.row[i]))
		}
	}
	return nil
}
