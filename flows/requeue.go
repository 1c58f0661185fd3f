package flows

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// requeuePage is how many runs are given to the queue in one transaction.
const requeuePage = 1000

// Requeue gives every run that has not ended to the queue of the database, which a copy of a database does not bring. A run
// that somebody held is taken up when its lease has run out. Nothing must be at work on the database.
func Requeue(ctx context.Context, d *db.DB) error {
	const op = "flows.Requeue"
	q, err := d.OpenQueue(ctx, db.QueueOptions{})
	if err != nil {
		return core.E(op, err)
	}
	id := &core.Column{Name: "id", Kind: core.UUID}
	for last := ""; ; {
		b := db.New(d.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE status IN ('waiting', 'running') AND due < `).Arg(suspended)
		if last != "" {
			b.Write(" AND id > ").Value(id, last)
		}
		var ids []core.ID
		err := d.Query(ctx, b.Write(" ORDER BY id LIMIT ").Arg(int64(requeuePage)), func(scan func(...any) error) error {
			var id core.ID
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil || len(ids) == 0 {
			return core.E(op, err)
		}
		if err := d.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error { return q.Put(ctx, tx, ids...) }); err != nil {
			return core.E(op, err)
		}
		last = string(ids[len(ids)-1])
	}
}
