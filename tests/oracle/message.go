package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"colonnade/core"
)

// stop is a word that a table with a rule refuses.
const stop = "stop!"

// ban has a rule refuse the word in some tables, with a message that reads other records.
func (w *world) ban(t testing.TB) {
	t.Helper()
	speak := speaker{maker: w.maker, schema: w.schema, meanings: w.meanings, n: 1000}
	for _, table := range w.schema.Tables() {
		if w.chance(0.4) {
			continue
		}
		kind, at := choose(w.maker, core.Integer, core.Text), &spot{table: table.Name}
		m, ok := speak.aggregate(kind, at, 2)
		if !ok || w.chance(0.6) {
			m = speak.term(kind, at, 2)
		}
		_, err := w.program.try(t, `mutation($table: String!, $when: String, $do: [put_rule_do_input!]) { put_rule(table: $table, name: "ban", on: ["update"], when: $when, do: $do) { version } }`,
			map[string]any{"table": table.Name, "when": fmt.Sprintf("s == %q", stop), "do": []any{
				map[string]any{"do": "fail", "message": "not with {" + m.text + "}"}, map[string]any{"do": "recommend", "column": "n", "value": "n", "message": "not with {" + m.text + "}"},
			}})
		if err == nil { // it may be too large
			w.bans[table.Name] = m
		}
	}
}

// hint is what the rule of a table tells a person who writes the record. It may tell less where it leaves out, by a condition that he
// sees, records of which he does not see all.
func (p *person) hint(table string, r core.Record) []string {
	m := p.bans[table]
	v, wide := &sight{p: p, every: true, writes: r}, &sight{p: p, every: true, wide: true, writes: r}
	said := m.eval(v, []core.Record{r})
	m.eval(wide, []core.Record{r})
	text := "not with (empty)"
	if said != nil {
		text = fmt.Sprint("not with ", said)
	}
	switch {
	case v.secret || p.barred(m):
		return []string{"not with …"}
	case wide.secret:
		return []string{"not with …", text}
	}
	return []string{text}
}

// refusals are changes that a rule refuses.
func (g *game) refusals(t testing.TB, p *person, table *core.Table) (out []probe) {
	t.Helper()
	rows := p.reachable("update", table, nil)
	if _, banned := g.bans[table.Name]; !banned || len(rows) == 0 {
		return nil
	}
	for range g.theme.told {
		out = append(out, g.refusal(t, p, table, choose(g.maker, rows...)["id"])...)
	}
	return out
}

// refusal is a change of one record that a rule refuses: as it is written, and as it is asked about.
func (g *game) refusal(t testing.TB, p *person, table *core.Table, id any) []probe {
	t.Helper()
	after := func() (*person, core.Record) {
		next := g.find(table.Name, id).Clone()
		next["s"] = stop
		return p.after(table.Name, []core.Record{next}), next
	}
	document := "mutation($id: uuid!) { q: update_" + table.Name + `_by_pk(pk_columns: {id: $id}, _set: {s: "` + stop + `"}, dry_run: true) { id } }`
	one := g.query(t, p, document, map[string]any{"id": id}, nil)
	barred := false // for other reasons than the rule, which is not asked then
	one.check = func(body []byte) string {
		answer := understood(t, body)
		barred = answer.kind() != string(core.Failed)
		switch answer.kind() {
		case string(core.Denied), string(core.Invalid): // the column is hidden from the update, or the record would be out of reach
			return ""
		case string(core.Failed):
			q, next := after()
			want := q.hint(table.Name, next)
			fits := slices.ContainsFunc(want, func(text string) bool { return strings.HasSuffix(answer.Errors[0].Message, text) })
			return pick(fits, "", "the message was to be: "+strings.Join(want, " or "))
		}
		return "the rule did not refuse it"
	}
	one.turns = func() []bool {
		q, next := after()
		return append(p.powers(), q.powersOver(table.Name, []core.Record{next})...)
	}
	document = "mutation($id: uuid!) { q: evaluate_rules(table: \"" + table.Name + `", op: "update", id: $id, record: {s: "` + stop + `"}) { ok refused { rule message } recommended { message } } }`
	asked := g.query(t, p, document, map[string]any{"id": id}, func(got any, kind string) string {
		if kind != "" {
			return pick(kind == string(core.Denied) || kind == string(core.Invalid), "", "it was refused as "+kind)
		}
		q, next := after()
		want := q.hint(table.Name, next)
		o := got.(map[string]any)
		refused, _ := o["refused"].([]any)
		if barred && len(refused) == 0 {
			return ""
		}
		if o["ok"] != false || len(refused) != 1 {
			return "the rule does not refuse it"
		}
		recommended, _ := o["recommended"].([]any)
		for _, told := range append(refused, recommended...) {
			if said, _ := told.(map[string]any)["message"].(string); !slices.Contains(want, said) {
				return "the message was to be: " + strings.Join(want, " or ")
			}
		}
		return ""
	})
	asked.path, asked.turns = "rules asked", one.turns
	return []probe{one, asked}
}
