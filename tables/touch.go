package tables

import (
	"context"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Observer is told at once of what happens in this process. Its functions are called by whoever makes it happen, and never block.
type Observer struct {
	Published func() // another snapshot is the current one
	Written   func() // something was committed of which [Store.Touched] tells
}

// Observe has o told from now on. It is called before [Store.Load].
func (s *Store) Observe(o Observer) { s.observers = append(s.observers, o) }

// show makes n the current snapshot.
func (s *Store) show(n *Snapshot) {
	s.current.Store(n)
	for _, o := range s.observers {
		o.Published()
	}
}

// written tells, here and in other processes, that events were committed.
func (s *Store) written(ctx context.Context) {
	s.o.Wake()
	for _, o := range s.observers {
		o.Written()
	}
	s.db.Notify(ctx, "event")
}

// Hear calls wake when another process has committed something of which [Store.Touched] tells, until ctx ends. Calls may be lost.
func (s *Store) Hear(ctx context.Context, wake func()) { s.db.Listen(ctx, "event", wake) }

// sharesTable is the table of shares, for [Store.Touched] and [Prepared.Tables].
const sharesTable = "_share"

// Mark says up to where somebody has heard what was written: see [Store.Touched]. The zero Mark is in front of nothing.
type Mark struct {
	events string
	audit  int64
	at     time.Time
}

// Touched returns the physical names of the tables of which records were written since the mark, by whatever process, and
// "_share" when there are other shares now than then: some were given or ended, or their time has passed. It moves the mark.
// Unlike a feed it waits for no older transaction, and so tells nothing of an order. Tables of Colonnade itself write no
// events, and are never among them, but for "_share".
func (s *Store) Touched(ctx context.Context, m *Mark) (touched []string, err error) {
	d, next := s.db.Dialect, Mark{}
	now, micros := d.Clock()
	b := db.New(d).Write("SELECT 'mark', ", d.EventsMark(), ", ", micros, ` UNION ALL SELECT 'audit', '', coalesce(max(seq), 0) FROM "_audit"`)
	if m.events != "" {
		at := &core.Column{Kind: core.Timestamp}
		b.Write(` UNION ALL SELECT DISTINCT 'table', e.table_name, 0 FROM "_event" AS e WHERE `)
		d.EventsUnmarked(b, m.events)
		b.Write(` UNION ALL SELECT 'table', '`, sharesTable, `', 0 WHERE EXISTS (SELECT 1 FROM "_audit" WHERE kind = `).Arg(string(auditShare)).Write(" AND seq > ").Arg(m.audit).
			Write(`) OR EXISTS (SELECT 1 FROM "_share" WHERE expires_at > `).Value(at, m.at).Write(" AND expires_at <= ", now, ")")
	}
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		var kind, name string
		var n int64
		if err := scan(&kind, &name, &n); err != nil {
			return err
		}
		switch kind {
		case "mark":
			next.events, next.at = name, time.UnixMicro(n).UTC()
		case "audit":
			next.audit = n
		default:
			touched = append(touched, name)
		}
		return nil
	})
	if err != nil {
		return nil, core.E("tables.Touched", err)
	}
	*m = next
	return touched, nil
}
