package tables

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

// Explanation is how a query is answered for its caller.
type Explanation struct {
	SQL        string        `json:"sql"`
	Parameters []Parameter   `json:"parameters"`
	Plan       []string      `json:"plan"`           // of the database, a line each
	Cost       *float64      `json:"cost,omitempty"` // as the database estimates it, where it does
	Rows       *int64        `json:"rows,omitempty"`
	Guard      []Guard       `json:"guard"`
	Advice     []IndexAdvice `json:"advice"`
}

// Parameter is a value that is bound to the statement.
type Parameter struct {
	Kind  string          `json:"kind"`            // text, integer, number, boolean, list, null, other
	Value json.RawMessage `json:"value,omitempty"` // for administrators
}

// Guard tells which grants let the caller read a table of the query.
type Guard struct {
	Table  string         `json:"table"`
	Grants []GuardedGrant `json:"grants"`
}

// GuardedGrant is one of them.
type GuardedGrant struct {
	Role      string `json:"role"`
	Level     string `json:"level"`
	Condition string `json:"condition,omitempty"`
}

// ExplainQuery tells how the query is answered for the caller of ctx, who needs the right explain_queries: what the database estimates tells of
// records that are out of his reach, too. Nothing is read.
func (s *Store) ExplainQuery(ctx context.Context, snap *Snapshot, q Query) (*Explanation, error) {
	const op = "tables.ExplainQuery"
	caller := core.CallerFrom(ctx)
	if err := snap.Policy.May(caller, "explain_queries"); err != nil {
		return nil, core.E(op, err)
	}
	p, b, _, err := s.plan(ctx, snap, q)
	if err != nil {
		return nil, core.E(op, err)
	}
	all := snap.Policy.Administers(caller) == nil
	out := &Explanation{SQL: strings.ReplaceAll(b.String(), pageMark, "~"), Parameters: []Parameter{}, Plan: []string{}, Guard: []Guard{}}
	for _, a := range b.Args() {
		out.Parameters = append(out.Parameters, parameter(a, all))
	}
	if err := s.planned(ctx, b, out); err != nil {
		return nil, core.E(op, err)
	}
	if !all {
		out.Plan = withoutValues(out.Plan)
	}
	for _, t := range slices.Compact(slices.Sorted(slices.Values(p.decided))) {
		g := Guard{Table: t, Grants: []GuardedGrant{}}
		for _, w := range snap.Policy.Ways(caller, t, authz.Read) {
			g.Grants = append(g.Grants, GuardedGrant{w.Role, w.Level.String(), w.Grant.Condition})
		}
		out.Guard = append(out.Guard, g)
	}
	out.Advice, err = s.advise(ctx, snap, &q)
	return out, core.E(op, err)
}

// planned asks the database for its plan.
func (s *Store) planned(ctx context.Context, b *db.Builder, out *Explanation) error {
	ask := db.New(s.db.Dialect)
	line := s.db.Dialect.Explain(ask)
	err := s.conn(ctx).Query(ctx, ask.Write(b.String()).With(b.Args()), func(scan func(...any) error) error {
		text, err := line(scan)
		out.Plan = append(out.Plan, strings.ReplaceAll(text, pageMark, "~"))
		return err
	})
	if err != nil || len(out.Plan) == 0 {
		return err
	}
	if m := estimates.FindStringSubmatch(out.Plan[0]); m != nil {
		if cost, err := strconv.ParseFloat(m[1], 64); err == nil {
			out.Cost = &cost
		}
		if rows, err := strconv.ParseInt(m[2], 10, 64); err == nil {
			out.Rows = &rows
		}
	}
	return nil
}

// withoutValues returns a plan with ? in place of the values that PostgreSQL writes into it. A text among them may have several lines.
func withoutValues(plan []string) []string {
	lines := strings.Split(quotedValue.ReplaceAllString(strings.Join(plan, "\n"), "?"), "\n")
	for i, l := range lines {
		if !estimates.MatchString(l) {
			lines[i] = numberValue.ReplaceAllString(l, "?")
		}
	}
	return lines
}

var (
	quotedValue = regexp.MustCompile(`'(?:[^']|'')*'`)
	numberValue = regexp.MustCompile(`\b\d+(?:\.\d+)?\b`)
)

// estimates are what PostgreSQL writes behind each step of a plan.
var estimates = regexp.MustCompile(`\(cost=[\d.]+\.\.([\d.]+) rows=(\d+) `)

func parameter(v any, all bool) Parameter {
	out := Parameter{Kind: "other"}
	switch v.(type) {
	case nil:
		out.Kind = "null"
	case string:
		out.Kind = "text"
	case int, int64:
		out.Kind = "integer"
	case float64:
		out.Kind = "number"
	case bool:
		out.Kind = "boolean"
	case time.Time:
		out.Kind = "timestamp"
	case []string, []int64, []float64, []bool:
		out.Kind = "list"
	}
	if raw, err := json.Marshal(v); all && err == nil {
		out.Value = raw
	}
	return out
}
