package tables

import (
	"context"
	"slices"

	"colonnade/core"
)

// rejects are the kinds of errors that say that a row is wrong. After others the rest would fail too.
var rejects = []core.ErrKind{core.Invalid, core.Failed, core.NotFound, core.Denied, core.Exists}

// insertEach inserts the rows that can be inserted, and reports the others. It tries them together, and halves what
// fails until the wrong rows are alone.
func (tx *Tx) insertEach(ctx context.Context, in Insert) (Result, error) {
	if _, _, err := tx.inserter(ctx, in); err != nil { // whatever the rows are
		return Result{}, err
	}
	s := &sieve{tx: tx, in: in}
	s.in.Report = false
	s.res.Items = make([]Item, 0, len(in.Rows))
	for from := 0; from < len(in.Rows); from += batchRows {
		if err := s.insert(ctx, from, min(from+batchRows, len(in.Rows))); err != nil {
			return Result{}, err
		}
	}
	return s.res, nil
}

// sieve is an insert that leaves out the rows that are refused.
type sieve struct {
	tx  *Tx
	in  Insert
	res Result
}

func (s *sieve) insert(ctx context.Context, from, to int) error {
	part := s.in
	part.Rows, part.With = s.in.Rows[from:to], nil
	for _, n := range s.in.With {
		if n.Row >= from && n.Row < to {
			n.Row -= from
			part.With = append(part.With, n)
		}
	}
	var res Result
	err := s.tx.Savepoint(ctx, func() (err error) {
		res, err = s.tx.Insert(ctx, part)
		return err
	})
	switch {
	case err == nil:
		s.res.add(res)
		return nil
	case !slices.Contains(rejects, core.KindOf(err)):
		return err
	case to-from > 1:
		middle := from + (to-from)/2
		if err := s.insert(ctx, from, middle); err != nil {
			return err
		}
		return s.insert(ctx, middle, to)
	}
	at := core.At{Item: from + 1, Input: core.AsError(err).Input}
	if at.Input != "" {
		at.Input = place(from) + at.Input[indexEnd(at.Input):]
	}
	s.res.Items = append(s.res.Items, Item{Outcome: Rejected, Err: core.E("tables.insertEach", at, err)})
	return nil
}

// add adds what another part of the write did.
func (r *Result) add(part Result) {
	r.IDs = append(r.IDs, part.IDs...)
	r.Items = append(r.Items, part.Items...)
	r.sum(part)
}
