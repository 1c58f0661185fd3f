package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"io"

	"colonnade/core"
	"colonnade/tables"
)

// errPlanned ends a unit of work of which nothing is to remain.
var errPlanned = errors.New("planned")

// plan does what the import would do, part by part, and undoes each part. A later part does not see what an earlier one made: of
// that, the keys are remembered. A lookup to a record that the file itself creates in an earlier part is refused, though the
// import would find it.
func (im *importing) plan(ctx context.Context) error {
	im.digest = sha256.New()
	p := &planned{seed: maphash.MakeSeed(), keys: map[uint64]struct{}{}}
	for last := false; !last; {
		c := im.next()
		if last = c.err != nil; last && !errors.Is(c.err, io.EOF) {
			return c.err
		}
		var again []tables.ImportRow
		err := im.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
			w, err := tx.Importer(ctx, im.how)
			if err != nil {
				return err
			}
			again = p.split(c, w)
			failed, err := im.write(ctx, tx, w, c)
			if err != nil {
				return err
			}
			im.report.add(failed)
			return errPlanned
		})
		if err != nil && !errors.Is(err, errPlanned) {
			return err
		}
		im.settle(again)
	}
	im.batch.Status = "planned"
	return nil
}

// settle counts rows whose keys the file has had in an earlier part.
func (im *importing) settle(again []tables.ImportRow) {
	if im.how.Mode != tables.ImportCreate {
		im.batch.Changed += int64(len(again))
		return
	}
	var failed []failure
	for _, r := range again {
		failed = append(failed, failure{line: r.Line, err: core.AsError(core.E("transfer.plan", core.Exists, core.At{Table: im.r.Table, Line: r.Line}, "an earlier row of the file has the same key"))})
	}
	im.batch.Refused += int64(len(failed))
	im.report.add(failed)
}

// planned remembers the keys of a file: eight bytes for each.
type planned struct {
	seed maphash.Seed
	keys map[uint64]struct{}
}

// split takes out of the part the rows whose keys an earlier part had.
func (p *planned) split(c *chunk, w *tables.Importer) (again []tables.ImportRow) {
	var hash maphash.Hash
	hash.SetSeed(p.seed)
	rows, cells := c.rows[:0], c.cells[:0]
	var fresh []uint64
	for i, r := range c.rows {
		seen := false
		for n, key := range w.Keys(r.Values) {
			hash.Reset()
			_ = hash.WriteByte(byte(n))
			_, _ = hash.Write(key)
			sum := hash.Sum64()
			_, had := p.keys[sum]
			seen = seen || had
			fresh = append(fresh, sum)
		}
		if seen {
			again = append(again, r)
			continue
		}
		rows, cells = append(rows, r), append(cells, c.cells[i])
	}
	for _, sum := range fresh {
		p.keys[sum] = struct{}{}
	}
	c.rows, c.cells = rows, cells
	return again
}
