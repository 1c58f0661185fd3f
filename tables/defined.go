package tables

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// Defined is what people define that is called like an action, such as flows that are started by hand. It never changes.
type Defined struct {
	Actions []core.Action
	Digest  string // another one when the actions differ
}

// DefineActions has every snapshot hold what read returns: of the database when it is loaded, and of the unit of work after
// [Tx.ChangeDefined]. It must be called before [Store.Load].
func (s *Store) DefineActions(read func(context.Context, db.Conn) (*Defined, error)) {
	s.readDefined = read
}

// defined reads what people have defined.
func (s *Store) defined(ctx context.Context, c db.Conn) (*Defined, error) {
	if s.readDefined == nil {
		return &Defined{}, nil
	}
	return s.readDefined(ctx, c)
}

// Defined returns what people have defined that is called like an action.
func (n *Snapshot) Defined() *Defined {
	if n.defined == nil {
		return &Defined{}
	}
	return n.defined
}

// ChangeDefined runs f, which changes what people have defined, and has every layer express it. What one of them cannot express
// refuses the change.
func (tx *Tx) ChangeDefined(ctx context.Context, f func() error) error {
	const op = "tables.ChangeDefined"
	if err := tx.mayDefine(); err != nil {
		return core.E(op, err)
	}
	if err := tx.settle(ctx); err != nil {
		return core.E(op, err)
	}
	if err := f(); err != nil {
		return tx.keep(core.E(op, err))
	}
	old := tx.snap
	next := &Snapshot{Schema: old.Schema, policyVersion: old.policyVersion + 1, maxLimit: old.maxLimit, access: old.access, money: old.money}
	var err error
	if next.defined, err = tx.store.defined(ctx, tx.db); err != nil {
		return tx.keep(core.E(op, err))
	}
	if err := tx.bump(ctx, "policy_version", next.policyVersion); err != nil {
		return tx.keep(core.E(op, err))
	}
	if err := tx.adopt(next); err != nil {
		return tx.keep(core.E(op, err))
	}
	return tx.keep(core.E(op, tx.store.build(next)))
}
