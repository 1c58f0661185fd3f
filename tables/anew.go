package tables

import (
	"context"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// BeginAnew makes a database whole that was filled with a part of what another one held, and with values in the place of others:
// calculated columns are computed, the records are to be compared under duplicate rules, versions whose events were dropped get one,
// and the audit and the seals begin with what is there. It is called once, as the system, before the database is used.
func (s *Store) BeginAnew(ctx context.Context) error {
	const op = "tables.BeginAnew"
	if err := s.Load(ctx); err != nil {
		return core.E(op, err)
	}
	return core.E(op, s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		for _, step := range []func(context.Context) error{tx.auditAnew, tx.recalculate, tx.compareAnew, tx.tellAnew} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
}

// auditAnew lets the audit begin with the definitions, the rights and the shares that are there.
func (tx *Tx) auditAnew(ctx context.Context) error {
	schema := tx.snap.Schema
	none, err := core.NewSchema(0)
	if err != nil {
		return err
	}
	all, err := definitionsThatDiffer(none, schema)
	if err != nil {
		return err
	}
	e := auditedSchema{Version: schema.Version(), Tables: all, Options: map[string]any{}, Classes: map[string]any{}, Statements: []string{}}
	for _, o := range schema.OptionSets() {
		e.Options[o.Name] = o
	}
	for _, c := range schema.DataClasses() {
		e.Classes[c.Name] = c
	}
	if err := tx.audit(ctx, auditSchema, 0, e); err != nil {
		return err
	}
	rights := auditedRights{Version: tx.snap.policyVersion, Changes: []authz.Alteration{}, Digest: tx.snap.access.Digest()}
	if err := tx.audit(ctx, auditRights, 0, rights); err != nil {
		return err
	}
	for _, t := range schema.Tables() {
		given, err := tx.shareReader(ctx).of(ctx, t, func(b *db.Builder) { b.Write("TRUE") })
		if err != nil || len(given) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		told := make([]auditedShare, len(given))
		for i := range given {
			told[i] = given[i].audited(given[i].rights.Names())
		}
		if err := tx.audit(ctx, auditShare, 0, map[string]any{"shares": told}); err != nil {
			return err
		}
	}
	return nil
}

// recalculate computes the stored calculated columns of all records. What others read comes first.
func (tx *Tx) recalculate(ctx context.Context) error {
	ctx = core.WithCaller(ctx, because(core.CallerFrom(ctx), causeDerived, ""))
	for _, l := range tx.snap.levels() {
		if err := tx.correct(ctx, tx.snap, l, l.columns); err != nil {
			return core.E("tables.recalculate", core.At{Table: l.table.Name}, err)
		}
	}
	return nil
}

// levels are the stored calculated columns, in an order in which each comes after what it reads.
func (n *Snapshot) levels() []*level {
	var out []*level
	for _, t := range n.Schema.Tables() {
		if t.Builtin {
			continue
		}
		l := &level{table: t}
		for _, c := range n.Rules.StoredFormulas(t.Name) {
			if !n.Rules.Reaches(t.Name, c.Name) {
				l.add(c)
			}
		}
		out = append(out, l)
	}
	return append(out, n.derivation.levels...)
}

// compareAnew leaves it to the server to compare all records under the duplicate rules.
func (tx *Tx) compareAnew(ctx context.Context) error {
	b := db.New(tx.db.Dialect).Write(`UPDATE "_duplicate_index" SET state = `).Arg(duplicatesFilling).Write(", records = 0, last_id = NULL, error = NULL")
	_, err := tx.db.Exec(ctx, b)
	return err
}

// tellAnew lets the seals begin with the first event, and adds the events of versions that have none any more, so that these are sealed too.
func (tx *Tx) tellAnew(ctx context.Context) error {
	if _, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(`DELETE FROM "_cursor" WHERE name = `).Arg(sealer)); err != nil {
		return err
	}
	_, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(`INSERT INTO "_event" (table_name, record_id, version, op, actor, cause, cause_id, depth, at)
SELECT h.table_name, h.record_id, h.version, h.op, h.actor, h.cause, h.cause_id, 0, h.at
FROM (SELECT table_name, record_id, version FROM "_history" EXCEPT SELECT table_name, record_id, version FROM "_event") AS x
JOIN "_history" AS h ON h.record_id = x.record_id AND h.version = x.version AND h.table_name = x.table_name ORDER BY h.at, h.record_id, h.version`))
	return err
}
