package rules

import (
	"math/rand/v2"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
)

// TestStoring compares As with SQLAs: random values brought into the form of columns.
func TestStoring(t *testing.T) {
	columns := []core.Column{
		{Name: "a", Kind: core.Decimal, Precision: 12, Scale: 2}, {Name: "b", Kind: core.Decimal, Precision: 5}, {Name: "c", Kind: core.Decimal, Precision: 38, Scale: 20},
		{Name: "d", Kind: core.Float}, {Name: "e", Kind: core.Date}, {Name: "f", Kind: core.Timestamp}, {Name: "j", Kind: core.DateTime}, {Name: "k", Kind: core.Duration}, {Name: "g", Kind: core.Integer}, {Name: "h", Kind: core.Text}, {Name: "i", Kind: core.Boolean},
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	d := newDiffer(t, seed)
	g := generator{rand.New(rand.NewPCG(seed, 2))}
	now := g.moment()
	for range 200 {
		e, err := Compile(nil, &d.w.table, g.expr(pick(g, "decimal", "decimal", "int", "timestamp", "datetime", "duration", "double", "string", "bool"), 3), Options{})
		if err != nil {
			continue
		}
		for i := range columns {
			k := &columns[i]
			if e.Fits(k) != nil {
				continue
			}
			for _, database := range d.w.dbs {
				d.store(t, database, e, k, now)
			}
		}
	}
}

func (d *differ) store(t *testing.T, database *db.DB, e *Expr, k *core.Column, now time.Time) {
	typ := k.Kind.Info().CEL
	if k.Kind == core.Date {
		typ = "string"
	}
	b := db.New(database.Dialect).Write("SELECT ")
	asText(b, typ, func() {
		before, after := storing(database.Name(), e.Type, k)
		if k.Kind == core.Date && database.Name() == "postgres" {
			after += "::text"
		}
		b.Write(before)
		p := e.printer(b, plainRow("w"), &core.Caller{})
		p.in.moment = now
		p.operand(e.ast.Expr())
		b.Write(after)
	})
	b.Write(" FROM world AS w ORDER BY n")
	n := 0
	err := database.Query(contextOf(t), b, func(scan func(dest ...any) error) error {
		var got string
		if err := scan(&got); err != nil {
			return err
		}
		v, err := e.eval(&row{e: e, record: d.w.rows[n], caller: &core.Caller{}, moment: now})
		if err != nil {
			return err
		}
		v = e.As(k, v)
		want := goText(v, database.Name())
		if day, ok := v.(time.Time); ok && k.Kind == core.Date {
			want = day.Format(time.DateOnly)
		}
		if typ == "double" {
			got = sameFloat(got)
		}
		if got != want {
			t.Errorf("row %d: %s as %s(%d,%d): memory %s, %s %s", n, e.Source, k.Kind, k.Precision, k.Scale, want, database.Name(), got)
		}
		n++
		return nil
	})
	if err != nil {
		t.Errorf("%s: %s: %v\n%s", database.Name(), e.Source, err, b)
	}
}
