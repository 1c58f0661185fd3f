package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/core"
)

// game is a world that is asked about.
type game struct {
	*world
	count  Count
	moment time.Time // since which nothing was changed
	pasts  map[string]past
}

const rounds = 3 // of questions to each person, with other rights each time

const deeds = 3 // of each person in a round

// Play makes up the world of the seed in the program, which must be empty, and asks each person so many questions, in each of three rounds.
// It fails with the seed, the question, what came and what should have come.
func Play(t testing.TB, program *Program, seed uint64, questions int) Count {
	t.Helper()
	g := &game{world: newWorld(t, maker{Rand: rand.New(rand.NewPCG(seed, 1))}.themed(), program), pasts: map[string]past{}}
	for i := range rounds {
		if i > 0 {
			g.entitle(t)
		}
		for _, p := range g.people {
			g.visit(t, p, questions)
			for range deeds {
				g.act(t, p)
			}
		}
	}
	return g.count
}

// sent is a request and its answer.
type sent struct {
	document *document
	body     []byte
	asked    []question
}

// visit asks as one person, changes what he does not see, and asks again.
func (g *game) visit(t testing.TB, p *person, questions int) {
	t.Helper()
	g.moment = time.Now().UTC()
	var all []sent
	for range questions {
		all = append(all, g.ask(t, p)...)
	}
	g.others(t, p, all)
	probes := g.probes(t, p)
	if !g.disturb(t, p) {
		return
	}
	g.again(t, p, probes)
	for _, s := range all {
		again := g.program.send(t, p.key, s.document.String(), s.document.variables)
		if !bytes.Equal(again, s.body) {
			t.Fatalf("the answer shows what %s does not see\nbefore %s\nafter  %s\n%s\n%s", p.name, firstDifference(s.body, again), firstDifference(again, s.body), g.describe(p), show(s.document))
		}
		for _, q := range s.asked {
			g.count.Twins.add(q.path(), 1)
		}
	}
}

const variations = 4 // of a question, which differ in the values that are compared with

// others has other people send what a person has asked: they are refused, or get what they may see.
func (g *game) others(t testing.TB, p *person, all []sent) {
	t.Helper()
	for i := 0; i < len(all); i += 2 * variations {
		s := all[i]
		for _, other := range g.people {
			if other == p {
				continue
			}
			body := g.program.send(t, other.key, s.document.String(), s.document.variables)
			answer := understood(t, body)
			for _, q := range s.asked {
				if want := other.answer(q.query, g.rows[q.table]); len(answer.Errors) == 0 && !agree(want, answer.Data[q.as]) {
					t.Fatalf("%s\n%s\n%s\n%s", disagreement(q.as, want, answer.Data[q.as]), g.describe(other), show(s.document), g.content())
				}
			}
			if kind := answer.kind(); kind != "" && kind != string(core.Invalid) && kind != string(core.Denied) && kind != string(core.Limit) {
				t.Fatalf("%s\n%s", body, show(s.document))
			}
			g.count.Answers.add("what others ask", len(s.asked))
		}
	}
}

// ask puts a few questions in one request, several times with other values, and compares the answers.
func (g *game) ask(t testing.TB, p *person) (all []sent) {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	var asked []question
	for i := range 1 + g.IntN(3) {
		table := choose(g.maker, g.tableNames()...)
		if !p.readable(table) {
			g.refused(t, p, table)
			continue
		}
		asked = append(asked, g.question(fmt.Sprint("q", i), a, table))
		g.unnameable(t, a, table)
	}
	if len(asked) == 0 {
		return nil
	}
	inline := g.chance(0.15)
	for range variations {
		s, ok := g.put(t, p, asked, inline)
		if !ok {
			return all
		}
		all = append(all, s)
		for i := range asked {
			if asked[i].id == nil {
				asked[i].query = a.vary(asked[i].query)
			} else {
				asked[i].query = asked[i].of(g.anyKey(asked[i].query.table, asked[i].keys))
			}
		}
	}
	return all
}

// put sends questions, and compares the answers; ok is false when they were too much.
func (g *game) put(t testing.TB, p *person, asked []question, inline bool) (s sent, ok bool) {
	t.Helper()
	d := &document{p: p, inline: inline}
	for i := range asked {
		asked[i].write(d)
	}
	body := g.program.send(t, p.key, d.String(), d.variables)
	answer := understood(t, body)
	if answer.kind() == string(core.Limit) {
		for _, q := range asked {
			g.count.TooMuch.add(q.path(), 1)
		}
		return s, false
	}
	if len(answer.Errors) > 0 {
		t.Fatalf("%s\n%s\n%s", body, g.describe(p), show(d))
	}
	for _, q := range asked {
		if want := p.answer(q.query, g.rows[q.table]); !agree(want, answer.Data[q.as]) {
			t.Fatalf("%s\n%s\n%s\n%s", disagreement(q.as, want, answer.Data[q.as]), g.describe(p), show(d), g.content())
		}
		g.count.Answers.add(q.path(), 1)
	}
	return sent{d, body, slices.Clone(asked)}, true
}

// question is a root field.
type question struct {
	*query
	as   string
	keys []string   // the columns by which one record is asked for
	id   []any      // what it has in them
	past *time.Time // of a list as it was
}

// question makes up a list, an aggregate, a record, or a list as it was.
func (g *game) question(as string, a asker, table string) question {
	if a.past = g.chance(0.15); a.past {
		q := question{query: a.query(table, g.depth()), as: as}
		if q.form != aggregate {
			q.past = &g.moment
		}
		return q
	}
	if g.chance(0.15) {
		q := question{query: &query{table: table, form: one, fields: a.fields(table, g.depth())}, as: as, keys: []string{"id"}}
		if c, ok := a.p.table(table).Column("code"); ok && a.p.nameable(table, c.Name) && g.chance(0.5) {
			q.keys = []string{c.Name}
			if keys := a.p.table(table).Keys; len(keys) > 0 && a.p.nameable(table, "n") && g.chance(0.5) {
				q.keys = keys[0].Columns
			}
		}
		q.query = q.of(g.anyKey(table, q.keys))
		return q
	}
	if g.chance(0.15) {
		return question{query: a.grouping(table), as: as}
	}
	return question{query: a.query(table, g.depth()), as: as}
}

// depth is how deep a question nests.
func (g *game) depth() int { return choose(g.maker, 0, 0, 1, 1, 1, 2) }

// anyKey is the key of a record, or of none.
func (g *game) anyKey(table string, columns []string) []any {
	out := []any{string(core.NewID()), int64(1)}[:len(columns)]
	if rows := g.rows[table]; len(rows) > 0 && g.chance(0.9) {
		r := choose(g.maker, rows...)
		for i, name := range columns {
			if r[name] != nil && (i == 0 || g.chance(0.8)) {
				out[i] = r[name]
			}
		}
	}
	return out
}

// of is the question about a record by its key, about another record.
func (q *question) of(id []any) *query {
	out := *q.query
	all := and{}
	for i, name := range q.keys {
		all = append(all, compare{name, "_eq", id[i]})
	}
	q.id, out.where = id, all
	return &out
}

// path is how the question asks.
func (q *question) path() string {
	switch {
	case q.form == aggregate:
		return "aggregate"
	case q.form == groups:
		return "groups"
	case q.past != nil:
		return "as of"
	case len(q.keys) == 1 && q.keys[0] == "id":
		return "record by id"
	case len(q.keys) > 0:
		return "record by key"
	}
	return "list"
}

// write writes the question into a document.
func (q *question) write(d *document) {
	switch {
	case q.form == aggregate:
		d.add(q.as, q.table+"_aggregate", q.query)
	case q.form == groups:
		d.add(q.as, q.table+"_grouped", q.query)
	case q.past != nil:
		d.add(q.as, q.table+"_as_of", q.query, d.put("at", "timestamptz!", q.past.Format(core.TimeLayout)))
	case q.id != nil:
		plain := *q.query
		plain.where = nil
		switch {
		case len(q.keys) == 2:
			d.add(q.as, q.table+"_by_twin", &plain, d.put(q.keys[0], "String!", q.id[0]), d.put(q.keys[1], "bigint!", q.id[1]))
		case q.keys[0] == "id":
			d.add(q.as, q.table+"_by_pk", &plain, d.put("id", "uuid!", q.id[0]))
		default:
			d.add(q.as, q.table+"_by_"+q.keys[0], &plain, d.put(q.keys[0], "String!", q.id[0]))
		}
	default:
		d.add(q.as, q.table, q.query)
	}
}

// refused asks for a table on which the person holds nothing to read: it must be denied, or not be there.
func (g *game) refused(t testing.TB, p *person, table string) {
	t.Helper()
	body := g.program.send(t, p.key, "{ "+table+" { id } }", nil)
	want := pick(p.known(table), string(core.Denied), string(core.Invalid))
	if answer := understood(t, body); answer.kind() != want {
		t.Fatalf("%s\nwant %s\n%s", body, want, g.describe(p))
	}
	g.count.Refusals.add("table", 1)
}

// unnameable asks for a column that the person cannot name: it must be like one that is not there.
func (g *game) unnameable(t testing.TB, a asker, table string) {
	t.Helper()
	for _, c := range a.p.table(table).Columns {
		if a.p.nameable(table, c.Name) || !a.chance(0.03) {
			continue
		}
		ways := []string{
			"(where: {%s: {_is_null: true}}) { id }", "(where: {_not: {_or: [{_and: []}, {%s: {_is_null: false}}]}}) { id }",
			"_aggregate { aggregate { count(columns: [%s]) } }",
		}
		if c.Unique {
			ways = append(ways, `_by_%[1]s(%[1]s: "k1") { id }`)
		}
		if ordered(&c) {
			by := pick(c.Kind == core.Date || c.Kind == core.Timestamp || c.Kind == core.DateTime, "{period: year}", "true")
			ways = append(ways, "(order_by: {%s: asc}) { id }", "(distinct_on: [%s]) { id }", "_grouped(by: {%s: "+by+"}) { aggregate { count } }",
				"_grouped(by: {id: true}, having: {count: {arguments: [%s], predicate: {_eq: 0}}}) { aggregate { count } }")
		}
		if c.Kind.Info().Ordered {
			ways = append(ways, "_aggregate { aggregate { min { %s } } }", "_grouped(by: {id: true}) { aggregate { max { %s } } }", "_grouped(by: {id: true}, order_by: {aggregate: {min: {%s: asc}}}) { aggregate { count } }")
		}
		for _, way := range ways {
			body := g.program.send(t, a.p.key, "{ "+table+fmt.Sprintf(way, c.Name)+" }", nil)
			answer := understood(t, body)
			if len(answer.Errors) != 1 || answer.kind() != string(core.Invalid) || !strings.Contains(answer.Errors[0].Message, "there is no such column") {
				t.Fatalf("%s.%s: %s: %s\n%s", table, c.Name, way, body, g.describe(a.p))
			}
			g.count.Refusals.add("column", 1)
		}
	}
}

// describe tells what a person holds, and what the columns and roles of the world are.
func (g *game) describe(p *person) string {
	var out []string
	for key, d := range g.meanings {
		out = append(out, fmt.Sprintf("%s = %s, stored: %t, rights: %s, secured: %t by %q", key, d.column.Formula, d.column.Stored, d.column.Rights, d.column.Secured, d.column.Mask))
	}
	for table, m := range g.bans {
		out = append(out, fmt.Sprintf("%s refuses %q with the message %s", table, stop, m.text))
	}
	slices.Sort(out)
	for _, grant := range p.grants {
		out = append(out, fmt.Sprintf("%s gives %v on %s at %s where %q hides %v", grant.role, grant.privileges, grant.table, grant.level, grant.condition, grant.hidden))
	}
	out = append(out, fmt.Sprintf("%q denies what is private", p.denying))
	for _, table := range p.schema.Tables() {
		for _, c := range table.Columns {
			if p.carries(table.Name, c.Name) {
				out = append(out, fmt.Sprint("private: ", table.Name, ".", c.Name))
			}
		}
	}
	for _, f := range p.held {
		out = append(out, fmt.Sprintf("profile %s gives %+v", f.name, f.rights))
	}
	out = append(out, fmt.Sprintf("%s %s in %s of %v holds %+v", p.name, p.id, p.unit, p.teams, p.holdings), fmt.Sprint("units ", g.units),
		fmt.Sprint("managers ", g.managers, " positions ", g.positions, " read ", g.steps, " steps down"), fmt.Sprintf("shares %+v", g.shares))
	return strings.Join(out, "\n")
}

// content is the records of the world, as far as they are stored.
func (g *game) content() string {
	var out []string
	for _, table := range g.schema.Tables() {
		for _, r := range g.rows[table.Name] {
			out = append(out, table.Name+" "+string(core.AppendValue(nil, r)))
		}
	}
	return strings.Join(out, "\n")
}

func show(d *document) string {
	variables, _ := json.Marshal(d.variables)
	return d.String() + "\n" + string(variables)
}

// firstDifference is what is around the first byte in which a differs from b.
func firstDifference(a, b []byte) []byte {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-400):min(len(a), i+100)]
}
