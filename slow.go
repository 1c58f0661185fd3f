package main

import (
	"context"
	"flag"
	"io"
	"strings"
	"text/tabwriter"
)

// slowQueries is the answer of slow_queries.
type slowQueries struct {
	Threshold float64
	Queries   []struct {
		Operation, Field, Statement string
		Roles                       []string
		Count                       int64
		P50, P95, Worst             float64
	}
}

const askSlow = `mutation($limit: bigint) { done: slow_queries(limit: $limit) { threshold queries { operation field statement roles count p50 p95 worst } } }`

// runSlow prints which queries of a server were slow.
func runSlow(ctx context.Context, args []string, out io.Writer) error {
	var r remote
	var limit int
	var statements bool
	f := flag.NewFlagSet("colonnade slow", flag.ContinueOnError)
	r.flags(f)
	f.IntVar(&limit, "limit", 20, "how many, those that took most time first")
	f.BoolVar(&statements, "sql", false, "print the statements too")
	if err := operation(f, args, out, 0, "colonnade slow [options]"); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	var answer struct{ Done slowQueries }
	if err := r.call(ctx, askSlow, map[string]any{"limit": limit}, &answer); err != nil {
		return err
	}
	return answer.Done.print(out, statements)
}

func (s *slowQueries) print(out io.Writer, statements bool) error {
	if len(s.Queries) == 0 {
		say(out, "No query took %g ms or longer since the server was started.\n", s.Threshold)
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "count\tp50 ms\tp95 ms\tworst ms\tfield\toperation\troles\n")
	for _, q := range s.Queries {
		say(w, "%d\t%.1f\t%.1f\t%.1f\t%s\t%s\t%s\n", q.Count, q.P50, q.P95, q.Worst, q.Field, q.Operation, strings.Join(q.Roles, ", "))
	}
	if err := w.Flush(); err != nil || !statements {
		return err
	}
	for _, q := range s.Queries {
		say(out, "\n%s %s\n%s\n", q.Field, q.Operation, q.Statement)
	}
	return nil
}
