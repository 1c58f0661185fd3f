package oracle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"colonnade/core"
)

// first subscribes, and returns the first answer.
func (p *Program) first(t testing.TB, key, document string, variables map[string]any) []byte {
	t.Helper()
	answer, leave := p.subscribe(t, key, document, variables)
	leave()
	return answer
}

// subscribe subscribes, and returns the first answer, and what ends it.
func (p *Program) subscribe(t testing.TB, key, document string, variables map[string]any) (answer []byte, leave func()) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := p.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	leave = func() { cancel(); _ = res.Body.Close() }
	for lines, next := bufio.NewReader(res.Body), false; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("there was no answer: %v\n%s", err, document)
		}
		line = strings.TrimSuffix(line, "\n")
		if data, ok := strings.CutPrefix(line, "data: "); ok && next {
			return []byte(data), leave
		}
		next = line == "event: next" || next && line != ""
	}
}

// subscription is a probe by a subscription of one root field, called q.
func (g *game) subscription(t testing.TB, p *person, document string, variables map[string]any, check func(got any, kind string) string) probe {
	out := g.query(t, p, document, variables, check)
	out.send = func() []byte { return g.program.first(t, p.key, document, variables) }
	return out
}

// subscriptions are live queries: their first answers are those of the queries, also for others who subscribe to the same meanwhile.
func (g *game) subscriptions(t testing.TB, p *person, table *core.Table) []probe {
	t.Helper()
	a := asker{maker: g.maker, p: p, n: new(int)}
	q := g.question("q", a, table.Name)
	if q.past != nil { // which does not change
		return nil
	}
	d := &document{p: p, kind: "subscription"}
	q.write(d)
	_, leave := g.program.subscribe(t, p.key, d.String(), d.variables)
	for _, other := range g.people {
		answer := understood(t, g.program.first(t, other.key, d.String(), d.variables))
		if want := other.answer(q.query, g.rows[q.table]); len(answer.Errors) == 0 && !agree(want, answer.Data["q"]) {
			t.Fatalf("%s\n%s\n%s\n%s", disagreement("q", want, answer.Data["q"]), g.describe(other), show(d), g.content())
		}
		g.count.Answers.add("what others subscribe to", 1)
	}
	leave()
	return []probe{g.subscription(t, p, d.String(), d.variables, wants(p.answer(q.query, g.rows[table.Name])))}
}
