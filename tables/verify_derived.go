package tables

import (
	"context"

	"colonnade/core"
	"colonnade/core/db"
)

// derived compares the stored calculated columns of a table with what their formulas make of the records as they are.
func (v *verifier) derived(ctx context.Context, t *core.Table) error {
	l := &level{table: t, columns: v.snap.Rules.StoredFormulas(t.Name)}
	row := l.row(&node{p: &planner{snap: v.snap, caller: core.System("verify")}, table: t, alias: "u"})
	for _, c := range l.columns {
		b := db.New(v.db.Dialect).Write("SELECT CAST(u.id AS text), u.version FROM ").Name(t.SQL()).Write(" AS u WHERE ").Name("u", c.SQL()).Write(" IS DISTINCT FROM ")
		row.formula(b, c)
		err := v.db.Query(ctx, b.Write(" ORDER BY u.id LIMIT ").Arg(int64(maxProblems)), func(scan func(...any) error) error {
			var id core.ID
			var version int64
			err := scan(&id, &version)
			if err == nil {
				v.problem(Problem{Kind: ProblemDerived, Table: t.Name, ID: id, Version: version, Message: c.Name + " is not what its formula makes of the records: one of them was changed past Colonnade"})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
