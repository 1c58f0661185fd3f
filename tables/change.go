package tables

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// ChangeOptions of a change of the schema; the zero value works.
type ChangeOptions struct {
	// MayBlock lets the change keep writers waiting while it reads or writes a large table. Without it such a change is refused.
	MayBlock bool

	// Version is that of the schema which the change was planned for; another one refuses it with Conflict. 0 for any.
	Version int64

	// Plan is the hash of the plan that was made for the change; Conflict when it would do something else. "" for any.
	Plan string

	// Rules has the answer tell what rules make of the records that are there then.
	Rules bool

	built map[string]bool // indexes that are there already: see [Store.ApplyChange]
}

// Change applies the changes to the schema, in the unit of work that ctx carries or in one of its own: the candidate is
// compiled by every layer, then the database is altered, and the snapshot is published after the commit. A candidate
// that a layer cannot express leaves everything as it was.
func (s *Store) Change(ctx context.Context, changes ...core.Change) error {
	return s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error { return tx.Change(ctx, changes...) })
}

// Change is [Store.Change] in the unit of work.
func (tx *Tx) Change(ctx context.Context, changes ...core.Change) error {
	_, err := tx.ChangeWith(ctx, ChangeOptions{}, changes...)
	return err
}

// ChangeWith is [Tx.Change] with options. It tells what was done.
func (tx *Tx) ChangeWith(ctx context.Context, o ChangeOptions, changes ...core.Change) (*Plan, error) {
	const op = "tables.Change"
	if err := tx.mayDefine(); err != nil {
		return nil, core.E(op, err)
	}
	if v := tx.snap.Schema.Version(); o.Version != 0 && o.Version != v {
		return nil, core.E(op, core.Conflict, "the schema has changed since the plan was made: version "+strconv.FormatInt(v, 10)+" is not version "+strconv.FormatInt(o.Version, 10)+"; plan again")
	}
	if err := tx.asPlanned(ctx, o.Plan, changes); err != nil {
		return nil, core.E(op, err)
	}
	if err := tx.settle(ctx); err != nil { // by the snapshot that it was made stale in
		return nil, core.E(op, err)
	}
	c, err := tx.candidate(ctx, changes)
	if err != nil {
		return nil, core.E(op, err)
	}
	if err := tx.adopt(c.next); err != nil {
		return nil, tx.keep(core.E(op, err))
	}
	a := alteration{candidate: c, o: o}
	if err := a.apply(ctx); err != nil {
		return nil, tx.keep(core.E(op, err))
	}
	if err := tx.record(ctx, &a); err != nil {
		return nil, tx.keep(core.E(op, err))
	}
	p := a.plan()
	if o.Rules {
		if p.Rules, err = a.broken(ctx); err != nil {
			return nil, tx.keep(core.E(op, err))
		}
	}
	return p, nil
}

// candidate is a snapshot that a change would make, compiled by every layer.
type candidate struct {
	tx         *Tx
	from, next *Snapshot
	changes    []core.Change
	moves      core.Moves
	grants     []authz.Moved
	write      []func(context.Context) error // what those above write in turn
	dependants []Dependant
	hideRoles  bool // the caller may not know which roles there are
}

// candidate builds what the changes would make of the present snapshot. Nothing is touched.
func (tx *Tx) candidate(ctx context.Context, changes []core.Change) (*candidate, error) {
	c, err := tx.follow(ctx, changes)
	if err != nil {
		return nil, err
	}
	if err := tx.store.build(c.next); err != nil {
		return nil, err
	}
	if err := c.definers(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if err := c.unsecured(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if err := c.copied(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if err := c.declassified(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if err := c.unrestricted(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if err := c.next.Policy.Test(core.CallerFrom(ctx), c.next.access); err != nil {
		return nil, err
	}
	return c, c.testRules()
}

// follow is candidate before anything is compiled: the schema as it would be, and what names the tables and columns that move.
func (tx *Tx) follow(ctx context.Context, changes []core.Change) (*candidate, error) {
	old := tx.snap
	if err := old.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return nil, err
	}
	schema, err := old.Schema.Edit(core.EditOptions{Rename: rules.RenameColumns, Follow: rules.Follow, Now: tx.now}, changes...)
	if err != nil {
		return nil, err
	}
	c := &candidate{tx: tx, from: old, changes: changes, moves: old.Schema.Moves(schema)}
	access, moved, err := old.access.Follow(c.moves, old.Schema, schema)
	if err != nil {
		return nil, err
	}
	c.grants = moved
	c.next = &Snapshot{Schema: schema, policyVersion: old.policyVersion, access: access, money: old.money, maxLimit: old.maxLimit, defined: old.defined}
	if len(moved) > 0 {
		c.next.policyVersion++
	}
	if err := c.depend(core.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	for _, f := range tx.store.followers {
		found, write, err := f(ctx, tx, Following{From: old.Schema, To: schema, Moves: c.moves})
		if err != nil {
			return nil, err
		}
		c.dependants = append(c.dependants, found...)
		if write != nil {
			c.write = append(c.write, write)
		}
	}
	slices.SortStableFunc(c.dependants, func(a, b Dependant) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), strings.Compare(a.Column, b.Column), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.Effect, b.Effect))
	})
	c.dependants = slices.Compact(c.dependants)
	return c, nil
}

// record keeps the new definitions, with those that follow them, and the change itself.
func (tx *Tx) record(ctx context.Context, a *alteration) error {
	if err := tx.recordDefinitions(ctx, a.from.Schema, a.next.Schema); err != nil {
		return err
	}
	if err := tx.recordShared(ctx, a); err != nil {
		return err
	}
	if err := tx.recordChange(ctx, a.next.Schema.Version(), a.done); err != nil {
		return err
	}
	if err := tx.recordRules(ctx, a); err != nil {
		return err
	}
	if err := tx.auditChange(ctx, a); err != nil {
		return err
	}
	if len(a.grants) > 0 {
		if err := authz.SaveMoved(tx.db.Gorm(ctx), a.grants); err != nil {
			return err
		}
		if err := tx.bump(ctx, "policy_version", a.next.policyVersion); err != nil {
			return err
		}
	}
	for _, write := range a.write {
		if err := write(ctx); err != nil {
			return err
		}
	}
	return tx.bump(ctx, "schema_version", a.next.Schema.Version())
}

// recordDefinitions keeps the definitions that differ.
func (tx *Tx) recordDefinitions(ctx context.Context, from, to *core.Schema) error {
	changed, err := definitionsThatDiffer(from, to)
	if err != nil {
		return err
	}
	at := core.Column{Kind: core.Timestamp}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		b := db.New(tx.db.Dialect).Write(`INSERT INTO "_table" (name, definition, created_at) VALUES (`).Arg(name).Write(", ").Arg(string(changed[name])).Write(", ").Value(&at, tx.now).
			Write(") ON CONFLICT (name) DO UPDATE SET definition = excluded.definition")
		if _, err := tx.db.Exec(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// definitionsThatDiffer returns the definitions of to that from does not have, by their physical names.
func definitionsThatDiffer(from, to *core.Schema) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for _, t := range slices.Concat(to.Tables(), to.Dropped()) {
		if t.Builtin {
			continue
		}
		definition, err := json.Marshal(core.Definition(t))
		if err != nil {
			return nil, err
		}
		if was, ok := from.At(t.SQL()); ok {
			before, err := json.Marshal(core.Definition(was))
			if err != nil {
				return nil, err
			}
			if bytes.Equal(before, definition) {
				continue
			}
		}
		out[t.SQL()] = definition
	}
	return out, nil
}

// recordShared keeps the option sets, data classes and operations that changed.
func (tx *Tx) recordShared(ctx context.Context, a *alteration) error {
	for _, c := range a.changes {
		var err error
		switch c := c.(type) {
		case core.PutOptions:
			err = tx.recordNamed(ctx, "_option_set", c.Put.Name, c.Put)
		case core.DropOptions:
			err = tx.recordNamed(ctx, "_option_set", c.Name, nil)
		case core.PutClass:
			if of, ok := a.next.Schema.DataClass(c.Put.Name); ok { // and it is not dropped again
				err = tx.recordNamed(ctx, "_data_class", of.Name, of)
			}
		case core.DropClass:
			err = tx.recordNamed(ctx, "_data_class", c.Name, nil)
		case core.PutOperation:
			if of, ok := a.next.Schema.Operation(c.Put.Name); ok {
				err = tx.recordNamed(ctx, "_operation", of.Name, of)
			}
		case core.DropOperation:
			err = tx.recordNamed(ctx, "_operation", c.Name, nil)
		case core.RestrictOperations:
			_, err = tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(`UPDATE "_meta" SET value = `).Arg(strconv.FormatBool(c.On)).Write(" WHERE key = ").Arg(onlyRegistered))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recordNamed keeps a definition by its name; nil takes it away.
func (tx *Tx) recordNamed(ctx context.Context, table, name string, definition any) error {
	b := db.New(tx.db.Dialect)
	if definition == nil {
		b.Write("DELETE FROM ").Name(table).Write(" WHERE name = ").Arg(name)
	} else {
		text, err := json.Marshal(definition)
		if err != nil {
			return err
		}
		b.Write("INSERT INTO ").Name(table).Write(" (name, definition) VALUES (").Arg(name).Write(", ").Arg(string(text)).
			Write(") ON CONFLICT (name) DO UPDATE SET definition = excluded.definition")
	}
	_, err := tx.db.Exec(ctx, b)
	return err
}

// recordChange keeps who changed the schema, and with which statements.
func (tx *Tx) recordChange(ctx context.Context, version int64, statements []string) error {
	at := core.Column{Kind: core.Timestamp}
	list, err := json.Marshal(append([]string{}, statements...))
	if err != nil {
		return err
	}
	b := db.New(tx.db.Dialect).Write(`INSERT INTO "_change" (version, at, actor, statements) VALUES (`).Arg(version).Write(", ").Value(&at, tx.now).
		Write(", ").Arg(actor(ctx)).Write(", ").Arg(string(list)).Write(")")
	_, err = tx.db.Exec(ctx, b)
	return err
}

func actor(ctx context.Context) core.ID {
	if c := core.CallerFrom(ctx); c.User != "" {
		return c.User
	}
	return core.SystemID
}
