package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"colonnade/core/db/dbtest"
	"colonnade/tests/oracle"
)

// TestOracle compares what the program answers, over HTTP, with what a naive evaluator says that it must answer: see package oracle.
// COLONNADE_CASES is how many comparisons it makes, of which half are on each database; COLONNADE_SEED chooses the worlds, which are the
// same every time without it.
func TestOracle(t *testing.T) {
	t.Parallel()
	cases, seed := 1000, uint64(1000)
	for name, set := range map[string]func(n int){"COLONNADE_CASES": func(n int) { cases = n }, "COLONNADE_SEED": func(n int) { seed = uint64(n) }} {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			set(n)
		}
	}
	eachDatabase(t, func(t *testing.T, c *config) {
		t.Parallel()
		var count oracle.Count
		for i := uint64(0); count.Cases()*2 < cases; i++ {
			ok := t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
				c := *c
				c.Data = t.TempDir()
				if c.Database != "" {
					c.Database = dbtest.PostgresDSN(t)
				}
				s := newScenarioLog(t, &c, slog.New(slog.DiscardHandler))
				count.Add(oracle.Play(t, &oracle.Program{URL: strings.TrimSuffix(s.url, "/graphql"), Key: s.keys["admin"], Client: &http.Client{Timeout: time.Minute}}, seed+i, 4))
			})
			if !ok {
				t.Fatalf("repeat it with COLONNADE_SEED=%d COLONNADE_CASES=1", seed+i)
			}
		}
		t.Logf("%d cases\n%s", count.Cases(), count)
	})
}
