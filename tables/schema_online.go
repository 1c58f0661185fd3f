package tables

import (
	"context"
	"strings"
	"sync"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// Indexes of large tables are built before the change of the schema, outside a transaction, where the database can do that
// while writers go on. The table _index_build tells what is being built. A process that dies leaves an index that nobody
// wants; the next one deletes it.

// The states of an index that is built online.
const (
	indexBuilding = "building"
	indexBuilt    = "built"  // and the schema does not know it yet
	indexValid    = "valid"  // it is in use
	indexFailed   = "failed" // nothing is left of it
)

const indexBuilds = "_index_build"

// builtinTables are the tables of the package itself.
func builtinTables() []core.Table {
	return []core.Table{fileTable(), duplicateIndexTable(), exchangeRate(), {
		Name: indexBuilds, Label: "Index build", Doc: "Indexes that are or were built while writers went on.", Ownership: core.OrgOwned, Builtin: true,
		Columns: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, System: true}, {Name: "name", Kind: core.Text, Required: true, Doc: "The index, as SQL has it."},
			{Name: "table_name", Kind: core.Text, Required: true, Doc: "The table, as SQL has it."},
			{Name: "state", Kind: core.Text, Required: true, Doc: "building, built, valid or failed."}, {Name: "error", Kind: core.Text},
			{Name: "started_at", Kind: core.Timestamp, Required: true}, {Name: "alive_at", Kind: core.Timestamp, Required: true, Doc: "When the process that builds it was last known to be at it."},
		},
	}}
}

// The process that builds an index says every aliveEvery that it is at it; after deadAfter of silence it is taken for dead.
const (
	aliveEvery = 10 * time.Second
	deadAfter  = time.Minute
)

// build is an index that is built online.
type build struct {
	index
	id core.ID
}

// buildOnline builds the indexes that the changes need on large tables, where the database can do that while writers go
// on. It returns those that it built; nothing is left of them when it fails.
func (s *Store) buildOnline(ctx context.Context, changes []core.Change) ([]build, error) {
	if s.db.Online() == "" {
		return nil, nil
	}
	var todo []build
	err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
		todo, err = tx.large(ctx, changes)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range todo {
		if err := s.buildOne(ctx, todo[i]); err != nil {
			s.abandon(ctx, todo[:i], "another index of the change could not be built")
			return nil, err
		}
	}
	return todo, nil
}

// large returns the indexes that the changes add to large tables over columns that are there.
func (tx *Tx) large(ctx context.Context, changes []core.Change) (out []build, err error) {
	c, err := tx.candidate(ctx, changes)
	if err != nil {
		return nil, err
	}
	a := alteration{candidate: c, dry: true}
	for _, t := range c.next.Schema.Tables() {
		was, isNew := a.before(t)
		if t.Builtin || isNew || was.DroppedAt != nil {
			continue
		}
		missing := missingIndexes(was, t)
		if len(missing) == 0 {
			continue
		}
		n, err := a.size(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, i := range missing {
			if n > int64(tx.store.o.MaxBlocked) && i.over(stored(was)) {
				out = append(out, build{i, core.NewID()})
			}
		}
	}
	return out, nil
}

// buildOne builds an index while writers go on.
func (s *Store) buildOne(ctx context.Context, b build) error {
	moment := core.Column{Kind: core.Timestamp}
	now := time.Now().UTC().Truncate(time.Microsecond)
	note := db.New(s.db.Dialect).Write(`INSERT INTO "_index_build" (id, name, table_name, state, started_at, alive_at) VALUES (`).
		Arg(b.id).Write(", ").Arg(b.name()).Write(", ").Arg(b.table.SQL()).Write(", ").Arg(indexBuilding).Write(", ").Value(&moment, now).Write(", ").Value(&moment, now).Write(")")
	if _, err := s.db.Exec(ctx, note); err != nil {
		return err
	}
	alive, stop := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() { s.beat(alive, b.id) })
	err := s.dropOnline(ctx, b.name()) // what a dead process may have left
	if err == nil {
		_, err = s.db.Exec(ctx, b.create(s.db.Dialect, s.db.Online()))
	}
	stop()
	beating.Wait()
	if err != nil {
		s.abandon(ctx, []build{b}, core.AsError(err).Msg)
		return core.E("tables.buildOne", core.At{Table: b.table.Name}, b.refused(err))
	}
	return s.mark(ctx, b.id, indexBuilt, "")
}

// beat says that the process is alive, until ctx ends.
func (s *Store) beat(ctx context.Context, id core.ID) {
	moment := core.Column{Kind: core.Timestamp}
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b := db.New(s.db.Dialect).Write(`UPDATE "_index_build" SET alive_at = `).Value(&moment, time.Now().UTC().Truncate(time.Microsecond)).Write(" WHERE id = ").Arg(id)
			if _, err := s.db.Exec(ctx, b); err != nil && ctx.Err() == nil {
				s.o.Log.WarnContext(ctx, "tables: the build of an index cannot say that it goes on", "err", err)
			}
		}
	}
}

func (s *Store) mark(ctx context.Context, id core.ID, state, problem string) error {
	b := db.New(s.db.Dialect).Write(`UPDATE "_index_build" SET state = `).Arg(state).Write(", error = ").Arg(orNull(problem)).Write(" WHERE id = ").Arg(id)
	_, err := s.db.Exec(ctx, b)
	return err
}

func (s *Store) dropOnline(ctx context.Context, name string) error {
	_, err := s.db.Exec(ctx, db.New(s.db.Dialect).Write("DROP INDEX ", s.db.Online(), "IF EXISTS ").Name(name))
	return err
}

// abandon deletes indexes that nobody wants. What it cannot do, the next process does.
func (s *Store) abandon(ctx context.Context, builds []build, why string) {
	ctx = context.WithoutCancel(ctx)
	for _, b := range builds {
		err := s.dropOnline(ctx, b.name())
		if err == nil {
			err = s.mark(ctx, b.id, indexFailed, why)
		}
		if err != nil {
			s.o.Log.WarnContext(ctx, "tables: an index that nobody wants is still there", "index", b.name(), "err", err)
		}
	}
}

// CleanIndexes deletes the indexes that a process which died has left half made or unused.
func (s *Store) CleanIndexes(ctx context.Context) error {
	const op = "tables.CleanIndexes"
	moment := core.Column{Kind: core.Timestamp}
	left := map[core.ID]string{}
	b := db.New(s.db.Dialect).Write(`SELECT id, name FROM "_index_build" WHERE state IN ('building', 'built') AND alive_at < `).Value(&moment, time.Now().UTC().Add(-deadAfter))
	err := s.db.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		var name string
		err := scan(&id, &name)
		left[id] = name
		return err
	})
	if err != nil || len(left) == 0 {
		return core.E(op, err)
	}
	broken := map[string]bool{}
	b = db.New(s.db.Dialect)
	s.db.BrokenIndexes(b)
	err = s.db.Query(ctx, b, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		broken[name] = true
		return err
	})
	if err != nil {
		return core.E(op, err)
	}
	wanted := map[string]bool{}
	for _, t := range s.Snapshot().Schema.Tables() {
		if !t.Builtin {
			for _, i := range indexes(t) {
				wanted[i.name()] = true
			}
		}
	}
	for id, name := range left {
		state, why := indexValid, ""
		if broken[name] || !wanted[name] {
			state, why = indexFailed, "the process that built it ended"
			if err := s.dropOnline(ctx, name); err != nil {
				return core.E(op, err)
			}
		}
		if err := s.mark(ctx, id, state, why); err != nil {
			return core.E(op, err)
		}
	}
	return nil
}

// ApplyChange is [Store.Change] with options, in a unit of work of its own, after the indexes of large tables were built.
func (s *Store) ApplyChange(ctx context.Context, o ChangeOptions, changes ...core.Change) (p *Plan, err error) {
	const op = "tables.ApplyChange"
	if s.txFrom(ctx) != nil {
		return nil, core.E(op, core.Invalid, "the change opens transactions of its own: send it alone")
	}
	if o.Plan != "" { // before an index is built for nothing
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error { return tx.asPlanned(ctx, o.Plan, changes) })
		if err != nil {
			return nil, core.E(op, err)
		}
	}
	builds, err := s.buildOnline(ctx, changes)
	if err != nil {
		return nil, core.E(op, err)
	}
	o.built = map[string]bool{}
	for _, b := range builds {
		o.built[b.name()] = true
	}
	err = s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		if p, err = tx.ChangeWith(ctx, o, changes...); err != nil {
			return err
		}
		for _, b := range builds {
			mark := db.New(s.db.Dialect).Write(`UPDATE "_index_build" SET state = `).Arg(indexValid).Write(" WHERE id = ").Arg(b.id)
			if _, err := tx.db.Exec(ctx, mark); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.abandon(ctx, builds, strings.TrimSpace("the change of the schema failed: "+core.AsError(err).Msg))
		return nil, core.E(op, err)
	}
	return p, nil
}

var errOtherPlan = core.E("tables.ApplyChange", core.Conflict, "the change would do something else than the plan says: plan again")
