package oracle

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"colonnade/core"
)

// probe is a request beyond a query of records, which a person sends before and after a change that he must not see.
type probe struct {
	path string
	what string
	send func() []byte
	// check returns what is wrong with the answer; "" for nothing.
	check func(body []byte) string

	turns func() []bool // what the answer may rightly tell, and a change that is not seen may turn; nil for nothing

	moves  bool   // a write that may bring what it changes further into sight, by which the person sees more of it
	counts string // the table whose versions the answer numbers, which tells of changes of hidden columns
	body   []byte
	told   []bool // what turns said
}

// probes sends what a person can ask for besides queries, and compares the answers.
func (g *game) probes(t testing.TB, p *person) []probe {
	t.Helper()
	g.pasts = map[string]past{}
	kinds := []struct {
		path string
		make func(t testing.TB, p *person, table *core.Table) []probe
	}{{"history", g.pastOf}, {"page", g.pages}, {"export", g.exports}, {"write", g.writes}, {"unmask", g.unmaskings}, {"explain", g.explanations}, {"rule message", g.refusals}, {"subscription", g.subscriptions}}
	var all []probe
	for _, table := range g.schema.Tables() {
		if !p.readable(table.Name) {
			continue
		}
		for _, kind := range subset(g.maker, kinds, 0.5) {
			for _, one := range kind.make(t, p, table) {
				one.path = cmp.Or(one.path, kind.path)
				all = append(all, one)
			}
		}
	}
	all = append(all, g.searches(t, p)...)
	kept := all[:0]
	for _, one := range all {
		one.body = one.send()
		if bytes.HasPrefix(one.body, []byte("{")) && bytes.Contains(one.body, []byte(`"kind":"LIMIT"`)) {
			g.count.TooMuch.add(one.path, 1)
			continue
		}
		if wrong := one.check(one.body); wrong != "" {
			t.Fatalf("%s\n%s\ngot %s\n%s\n%s", wrong, one.what, one.body, g.describe(p), g.content())
		}
		g.count.Answers.add(pick(bytes.Contains(one.body, []byte(`"errors":`)), one.path+", refused", one.path), 1)
		if one.turns != nil {
			one.told = one.turns()
		}
		kept = append(kept, one)
	}
	return kept
}

// again sends the probes once more: no byte may be another.
func (g *game) again(t testing.TB, p *person, all []probe) {
	t.Helper()
	for _, one := range all {
		if one.moves && !bytes.Contains(one.body, []byte(`"errors":`)) {
			continue
		}
		if slices.ContainsFunc(p.may("read", one.counts), func(g grant) bool {
			return slices.Contains(g.hidden, "version") || slices.Contains(g.hidden, "updated_at")
		}) {
			continue
		}
		if one.turns != nil && !slices.Equal(one.turns(), one.told) {
			continue
		}
		if body := one.send(); !bytes.Equal(body, one.body) {
			t.Fatalf("the answer shows what %s does not see\n%s\nbefore %s\nafter  %s\n%s", p.name, one.what, one.body, body, g.describe(p))
		}
		g.count.Twins.add(one.path, 1)
	}
}

// query is a probe by a document of one root field, called q.
func (g *game) query(t testing.TB, p *person, document string, variables map[string]any, check func(got any, kind string) string) probe {
	return probe{
		what: document + "\n" + literal(variables),
		send: func() []byte { return g.program.send(t, p.key, document, variables) },
		check: func(body []byte) string {
			answer := understood(t, body)
			return check(answer.Data["q"], answer.kind())
		},
	}
}

// wants is a check that the answer is the one that is expected.
func wants(want any) func(got any, kind string) string {
	return func(got any, kind string) string {
		if kind != "" {
			return "it was refused"
		}
		if !agree(want, got) {
			return disagreement("q", want, got)
		}
		return ""
	}
}
