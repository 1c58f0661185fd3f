package tables

import (
	"context"
	"fmt"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Tx is a unit of work: everything in it happens or nothing. It is used by one goroutine.
type Tx struct {
	store   *Store
	db      *db.Tx
	snap    *Snapshot
	now     time.Time
	events  bool
	define  bool // it may change the schema and the policy
	changed bool // it did
}

type txKey struct{}

// TxOptions of a unit of work; the zero value works.
type TxOptions struct {
	// Define is set when the work changes the schema or the policy. It then commits alone.
	Define bool
}

// Tx runs f in a unit of work, or in the one that ctx carries already, so that actions compose. f gets a context that
// carries it: calls of the store with that context take part, and f must not use another.
//
// A unit whose snapshot is no longer the database's is refused with Conflict before it does anything.
func (s *Store) Tx(ctx context.Context, o TxOptions, f func(context.Context, *Tx) error) error {
	const op = "tables.Tx"
	if outer := s.txFrom(ctx); outer != nil {
		return f(ctx, outer)
	}
	var built *Snapshot
	err := s.db.Tx(ctx, db.TxOptions{Alone: o.Define}, func(d *db.Tx) error {
		tx := &Tx{store: s, db: d, snap: s.Snapshot(), now: time.Now().UTC().Truncate(time.Microsecond), define: o.Define}
		if err := tx.lock(ctx, o.Define); err != nil {
			return err
		}
		if err := f(context.WithValue(ctx, txKey{}, tx), tx); err != nil {
			return err
		}
		if tx.changed {
			built = tx.snap
			if err := s.build(built); err != nil {
				return err
			}
		}
		if tx.events {
			d.AfterCommit(func() { s.o.Wake(); s.db.Notify(ctx, "event") })
		}
		return nil
	})
	if err != nil {
		return core.E(op, err)
	}
	if built != nil {
		s.publish(built)
		s.db.Notify(ctx, "schema")
	}
	return nil
}

func (s *Store) txFrom(ctx context.Context) *Tx {
	if tx, ok := ctx.Value(txKey{}).(*Tx); ok && tx.store == s {
		return tx
	}
	return nil
}

// lock keeps the schema as it is until the end of the transaction, and checks that it is the one of our snapshot.
func (tx *Tx) lock(ctx context.Context, exclusive bool) error {
	if err := tx.db.LockSchema(ctx, exclusive); err != nil {
		return err
	}
	schema, policy, err := versions(ctx, tx.db)
	if err != nil {
		return err
	}
	if schema != tx.snap.Schema.Version() || policy != tx.snap.policyVersion {
		return core.E("tables.Tx", core.Conflict, "the schema or the policy has just changed: try again")
	}
	return nil
}

// Snapshot returns what the unit of work sees; it changes when the unit changes the schema.
func (tx *Tx) Snapshot() *Snapshot { return tx.snap }

// DB returns the database transaction, for the system tables of the package that owns them.
func (tx *Tx) DB() *db.Tx { return tx.db }

// Now is the time of everything that the unit writes.
func (tx *Tx) Now() time.Time { return tx.now }

// AfterCommit has f called once the unit has committed.
func (tx *Tx) AfterCommit(f func()) { tx.db.AfterCommit(f) }

// ChangePolicy runs f, which writes users, roles or grants, and compiles the policy that results. A policy that does
// not compile refuses the change.
func (tx *Tx) ChangePolicy(ctx context.Context, f func() error) error {
	const op = "tables.ChangePolicy"
	if err := tx.mayDefine(); err != nil {
		return core.E(op, err)
	}
	if err := f(); err != nil {
		return core.E(op, err)
	}
	access, err := authz.Load(ctx, tx.db.Gorm(ctx))
	if err != nil {
		return core.E(op, err)
	}
	next := &Snapshot{Schema: tx.snap.Schema, policyVersion: tx.snap.policyVersion + 1, maxLimit: tx.snap.maxLimit, access: access}
	if err := tx.bump(ctx, "policy_version", next.policyVersion); err != nil {
		return core.E(op, err)
	}
	return core.E(op, tx.adopt(next))
}

func (tx *Tx) mayDefine() error {
	if !tx.define {
		return core.E("tables.mayDefine", core.Invalid, "this cannot be done together with writes that do not define anything: send it alone")
	}
	return nil
}

// adopt makes next what the unit sees from now on.
func (tx *Tx) adopt(next *Snapshot) error {
	if err := next.compile(); err != nil {
		return err
	}
	tx.snap, tx.changed = next, true
	return nil
}

func (tx *Tx) bump(ctx context.Context, key string, version int64) error {
	b := db.New(tx.db.Dialect).Write(`UPDATE "_meta" SET value = `).Arg(fmt.Sprint(version)).Write(" WHERE key = ").Arg(key)
	_, err := tx.db.Exec(ctx, b)
	return err
}

// ChangeAccess runs f, which writes users, roles or grants for the system, in a unit of work of its own.
func (s *Store) ChangeAccess(ctx context.Context, f func(*db.Tx) error) error {
	return s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() error { return f(tx.db) })
	})
}
