package main

import (
	"io"
	"strings"
	"testing"
)

// TestCapacity asks a server how much it holds.
func TestCapacity(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newScenario(t, c)
		for _, name := range []string{"shop", "visit"} {
			s.want(t, `mutation { create_table(name: "`+name+`", columns: [{name: "city", kind: "text", unique: true}]) { version } }`, `"version"`)
		}
		s.want(t, `mutation { insert_shop(objects: [{city: "Rome"}, {city: "Oslo"}, {city: "Riga"}]) { affected_rows } }`, "affected_rows")
		s.want(t, `mutation { update_shop(where: {city: {_eq: "Rome"}}, _set: {city: "Roma"}) { affected_rows } delete_shop(where: {city: {_eq: "Riga"}}) { affected_rows } }`, "affected_rows")
		s.want(t, `mutation { drop_table(table: "visit") { version } }`, "version")
		out, err := s.command(t, "capacity")
		if err != nil {
			t.Fatal(err)
		}
		var shop, visit []string
		for line := range strings.Lines(out) {
			switch f := strings.Fields(line); {
			case len(f) > 0 && f[0] == "shop":
				shop = f
			case len(f) > 0 && f[0] == "visit":
				visit = f
			}
		}
		// name, rows, data, indexes, deleted, versions, history
		if len(shop) != 10 || shop[1] != "2" || shop[2] == "0" || shop[4] == "0" || shop[6] != "1" || shop[7] != "5" || shop[8] == "0" {
			t.Errorf("shop: %q of\n%s", shop, out)
		}
		if len(visit) < 3 || visit[1] != "(dropped)" || visit[2] != "0" {
			t.Errorf("visit: %q of\n%s", visit, out)
		}
		if !strings.Contains(out, "_history") || !strings.Contains(out, "in tables and indexes, 0 B in 0 files") {
			t.Error(out)
		}
		s.sure(t, "clerk", nil)
		err = run(t.Context(), []string{"capacity", "--url", strings.TrimSuffix(s.url, "/graphql"), "--key", s.keys["clerk"]}, io.Discard)
		if err == nil || !strings.Contains(explain(err), "the right to define tables") {
			t.Error(err)
		}
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1_500_000_000: "1.5 GB", 4_000_000_000_000_000: "4000.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
