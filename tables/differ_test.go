package tables

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/rules"
)

// arena is the databases that answer the same questions.
type arena struct {
	stores []*Store
	tables []string // that the last case has left

	asked, answered int
}

func newArena(t *testing.T) *arena {
	a := &arena{stores: []*Store{New(dbtest.SQLite(t), Options{})}}
	if dbtest.HasPostgres() {
		a.stores = append(a.stores, New(dbtest.Postgres(t), Options{}))
	}
	return a
}

// each runs f in a transaction of every database.
func (a *arena) each(t *testing.T, f func(tx *db.Tx) error) {
	t.Helper()
	for _, s := range a.stores {
		if err := s.db.Tx(t.Context(), db.TxOptions{Alone: true}, f); err != nil {
			t.Fatal(s.db.Name(), err)
		}
	}
}

// fill makes the tables of the schema and puts the rows in.
func (a *arena) fill(t *testing.T, s *core.Schema, rows map[string][]core.Record) {
	t.Helper()
	a.each(t, func(tx *db.Tx) error {
		for _, name := range a.tables {
			if _, err := tx.Exec(t.Context(), db.New(tx.Dialect).Write("DROP TABLE ").Name(name)); err != nil {
				return err
			}
		}
		for _, table := range userTables(s) {
			plain := *table // without references, so that the tables need no order
			if _, err := tx.Exec(t.Context(), createPlain(tx.Dialect, &plain)); err != nil {
				return err
			}
		}
		return nil
	})
	a.tables = nil
	for _, table := range userTables(s) {
		a.tables = append(a.tables, table.Name)
	}
	a.put(t, s, rows)
}

func createPlain(d db.Dialect, t *core.Table) *db.Builder {
	b := db.New(d).Write("CREATE TABLE ").Name(t.Name).Write(" (")
	comma := ""
	for c := range t.Stored {
		b.Write(comma).Name(c.Name).Write(" ", d.ColumnType(c))
		comma = ", "
	}
	return b.Write(")")
}

func (a *arena) put(t *testing.T, s *core.Schema, rows map[string][]core.Record) {
	t.Helper()
	a.each(t, func(tx *db.Tx) error {
		for _, table := range userTables(s) {
			if _, err := tx.Exec(t.Context(), db.New(tx.Dialect).Write("DELETE FROM ").Name(table.Name)); err != nil {
				return err
			}
			var stored []*core.Column
			for c := range table.Stored {
				stored = append(stored, c)
			}
			if err := tx.InsertRows(t.Context(), table.Name, stored, rows[table.Name]); err != nil {
				return err
			}
			if err := putHistory(t, tx, table, rows[table.Name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// moment is when the rows of a game were as they are.
var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// putHistory has each record have been another before the moment, and after it.
func putHistory(t *testing.T, tx *db.Tx, table *core.Table, rows []core.Record) error {
	t.Helper()
	if _, err := tx.Exec(t.Context(), db.New(tx.Dialect).Write(`DELETE FROM "_history" WHERE table_name = `).Arg(table.SQL())); err != nil {
		return err
	}
	w := &writer{table: table, caller: core.System("test"), tx: &Tx{}}
	for version := range int64(3) {
		w.tx.now, w.batch = moment.Add(time.Duration(version-1)*time.Hour), nil
		for i, r := range rows {
			other := rows[(i+1)%len(rows)].Clone()
			if version == 1 {
				other = r.Clone()
			}
			other["id"], other["version"] = r["id"], r["version"].(int64)+version-1
			w.batch = append(w.batch, change{op: core.Update, after: other})
		}
		if err := tx.Insert(t.Context(), w.history()); err != nil {
			return err
		}
	}
	return nil
}

// game is one schema, policy and content, with the oracle that knows it.
type game struct {
	arena *arena
	snap  *Snapshot
	o     *oracle
	m     maker
}

func newGame(t *testing.T, a *arena, seed uint64) *game {
	t.Helper()
	m := maker{rand.New(rand.NewPCG(seed, 1))}
	schema, meanings := m.schema()
	set, err := rules.NewSet(schema)
	if err != nil {
		t.Fatal(err)
	}
	roles := []string{"one", "two", "three"}
	grants, means := m.grants(schema, meanings, roles)
	held := subset(m, roles, 0.7)
	places := m.places(held)
	o := &oracle{schema: schema, rules: set, caller: world.caller(held, places), places: places, rows: m.rows(schema), conditions: map[string]*rules.Expr{}, meanings: meanings, meant: means, known: map[string]any{}}
	for table, rows := range o.rows {
		for _, r := range rows {
			o.calculate(table, r)
		}
	}
	for _, g := range grants {
		for _, r := range held {
			if g.Role == r {
				o.grants = append(o.grants, g)
			}
		}
	}
	o.keep()
	snap := &Snapshot{Schema: schema, maxLimit: MaxLimit, access: policyData(roles, grants)}
	if err := snap.compile(); err != nil {
		t.Fatal(err)
	}
	a.fill(t, schema, o.rows)
	return &game{a, snap, o, m}
}

// ask puts the query to every database, and returns the one answer; ok is false when it is too much for one of them.
func (g *game) ask(t *testing.T, q Query) (answer []byte, ok bool) {
	t.Helper()
	g.arena.asked++
	var first []byte
	for i, s := range g.arena.stores {
		out, err := s.Query(core.WithCaller(t.Context(), g.o.caller), g.snap, q, nil)
		if core.KindOf(err) == core.Limit {
			return nil, false
		}
		if err != nil {
			text, args, _ := s.SQL(core.WithCaller(t.Context(), g.o.caller), g.snap, q)
			t.Fatalf("%s: %v\n%s\n%v", s.db.Name(), err, text, args)
		}
		if i == 0 {
			first = out
		} else if !bytes.Equal(first, out) {
			text, args, _ := s.SQL(core.WithCaller(t.Context(), g.o.caller), g.snap, q)
			t.Fatalf("the databases disagree:\n%s\n%s\n%s\n%v", first, out, text, args)
		}
	}
	g.arena.answered++
	return first, true
}

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func seedOf(t *testing.T) uint64 {
	seed := uint64(envInt("COLONNADE_SEED", int(time.Now().UnixNano()%1_000_000_000)))
	t.Logf("COLONNADE_SEED=%d", seed)
	return seed
}

const questions = 12 // of a game

// TestOracle compares answers with those of a naive evaluator, and then changes what the caller does not see, which must
// change no byte of them. COLONNADE_GAMES is how many schemas it makes up.
func TestOracle(t *testing.T) {
	t.Parallel()
	arena := newArena(t)
	seed := seedOf(t)
	for i := range envInt("COLONNADE_GAMES", 25) {
		t.Run(fmt.Sprint(seed+uint64(i)), func(t *testing.T) {
			newGame(t, arena, seed+uint64(i)).play(t)
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d questions, %d answers", arena.asked, arena.answered)
	if arena.answered*100 < arena.asked*90 {
		t.Errorf("%d of %d questions are too much for one of the databases", arena.asked-arena.answered, arena.asked)
	}
}

func (g *game) play(t *testing.T) {
	a := asker{g.m, g.o}
	var asked []Query
	var answers [][]byte
	for range questions {
		table := choose(g.m, userTables(g.o.schema)...).Name
		if len(g.o.grantsOn(table)) == 0 {
			_, err := g.arena.stores[0].Query(core.WithCaller(t.Context(), g.o.caller), g.snap, Query{Table: table, Fields: []Field{{As: "id", Column: "id"}}}, nil)
			if core.KindOf(err) != core.Denied {
				t.Fatalf("%s: %v, want DENIED", table, err)
			}
			continue
		}
		q := *a.query(table, 2)
		out, ok := g.ask(t, q)
		if !ok {
			continue
		}
		if want := g.o.answer(&q, g.o.rows[table]); !agree(want, parsed(out)) {
			text, args, _ := g.arena.stores[0].SQL(core.WithCaller(t.Context(), g.o.caller), g.snap, q)
			expected, _ := json.Marshal(want)
			t.Fatalf("%s\ngot  %s\nwant %s\n%s\nquery %s\n%s\n%v", disagreement("", want, parsed(out)), out, expected, g.describe(), describeQuery(q), text, args)
		}
		then := q
		then.At = moment
		if was, ok := g.ask(t, then); ok && !bytes.Equal(was, out) {
			text, args, _ := g.arena.stores[0].SQL(core.WithCaller(t.Context(), g.o.caller), g.snap, then)
			t.Fatalf("query %s\nnow  %s\nthen %s\n%s\n%v", describeQuery(q), out, was, text, args)
		}
		g.refuses(t, a, table)
		asked, answers = append(asked, q), append(answers, out)
	}
	if !g.disturb(t) {
		return
	}
	for i, q := range asked {
		if again, ok := g.ask(t, q); ok && !bytes.Equal(again, answers[i]) {
			expected, _ := json.Marshal(g.o.answer(&q, g.o.rows[q.Table]))
			t.Fatalf("the answer shows what the caller does not see\nbefore %s\nafter  %s\nthe oracle says %s\n%s\nquery %s", firstDifference(answers[i], again), firstDifference(again, answers[i]), expected, g.describe(), describeQuery(q))
		}
	}
}

// refuses asks for a column that the caller cannot name: it must be like one that is not there.
func (g *game) refuses(t *testing.T, a asker, table string) {
	t.Helper()
	for _, c := range a.o.table(table).Columns {
		if a.o.nameable(table, c.Name) || !a.chance(0.2) {
			continue
		}
		for _, q := range []Query{
			{Table: table, Where: Compare{Column: c.Name, Op: IsNull, Value: true}},
			{Table: table, Where: Not{Or{And{}, Compare{Column: c.Name, Op: Eq, Value: nil}}}},
			{Table: table, Order: []Order{{Column: c.Name}}},
			{Table: table, Form: Aggregate, Fields: []Field{{As: "n", Func: "min", Column: c.Name}}},
			{Table: table, Form: Aggregate, Fields: []Field{{As: "n", Func: "count", Columns: []string{c.Name}}}},
		} {
			_, err := g.arena.stores[0].Query(core.WithCaller(t.Context(), g.o.caller), g.snap, q, nil)
			if e := core.AsError(err); err == nil || e.Kind != core.Invalid || e.Msg[:23] != "there is no such column" {
				t.Fatalf("%s.%s: %v\n%s", table, c.Name, err, g.describe())
			}
		}
	}
}

// view is everything that the caller sees.
func (g *game) view() string {
	var out []byte
	for _, t := range userTables(g.o.schema) {
		for _, r := range g.o.rows[t.Name] {
			if !g.o.visible(t.Name, r) {
				continue
			}
			out = append(out, t.Name...)
			for i := range t.Columns {
				out = append(t.Columns[i].AppendJSON(out, g.o.value(t.Name, r, t.Columns[i].Name)), ' ')
			}
		}
	}
	return string(out)
}

// disturb changes data at random, as long as the caller sees nothing of it.
func (g *game) disturb(t *testing.T) bool {
	g.o.forget()
	before := g.view()
	done := 0
	for range 60 {
		table := choose(g.m, userTables(g.o.schema)...)
		rows := g.o.rows[table.Name]
		if g.m.chance(0.2) {
			if r := g.m.record(table, g.o.rows); linksTwo(table, r) {
				g.o.rows[table.Name] = append(rows[:len(rows):len(rows)], g.o.calculate(table.Name, r))
			}
		} else if len(rows) > 0 {
			i := g.m.IntN(len(rows))
			changed := rows[i].Clone()
			fresh := g.m.record(table, g.o.rows)
			for c := range table.Stored {
				if c.Name == "id" || c.Of != "" || c.Calculated() || c.Required && fresh[c.Name] == nil || !g.m.chance(0.3) {
					continue
				}
				changed[c.Name] = fresh[c.Name]
				if of, ok := table.TargetColumn(c); ok {
					changed[of.Name] = fresh[of.Name]
				}
			}
			g.o.calculate(table.Name, changed)
			g.o.rows[table.Name] = append(append(append([]core.Record{}, rows[:i]...), changed), rows[i+1:]...)
		}
		g.o.forget()
		if g.view() != before {
			g.o.rows[table.Name] = rows
		} else {
			done++
		}
	}
	g.o.keep()
	g.arena.put(t, g.o.schema, g.o.rows)
	return done > 0
}

// disagreement names the first place where two answers differ.
func disagreement(at string, want, got any) string {
	switch want := want.(type) {
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				if !agree(want[i], got[i]) {
					return disagreement(fmt.Sprint(at, "[", i, "]"), want[i], got[i])
				}
			}
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for key := range want {
				if !agree(want[key], got[key]) {
					return disagreement(at+"."+key, want[key], got[key])
				}
			}
		}
	}
	return fmt.Sprintf("%s is %v, want %v", at, got, want)
}

// describe tells what the calculated columns and the grants of a game are.
func (g *game) describe() string {
	var out []string
	for key, d := range g.o.meanings {
		out = append(out, fmt.Sprintf("%s = %s, stored: %t, rights: %s", key, d.column.Formula, d.column.Stored, d.column.Rights))
	}
	slices.Sort(out)
	for _, grant := range g.o.grants {
		out = append(out, fmt.Sprintf("%s on %s at %s where %q hides %v", grant.Role, grant.Table, grant.Level, grant.Condition, grant.Hidden))
	}
	return strings.Join(out, "\n")
}

// firstDifference is what is around the first byte in which a differs from b.
func firstDifference(a, b []byte) []byte {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-400):min(len(a), i+100)]
}

func describeQuery(q Query) string {
	out, err := json.MarshalIndent(q, "", " ")
	if err != nil {
		return fmt.Sprintf("%+v", q)
	}
	return string(out)
}
