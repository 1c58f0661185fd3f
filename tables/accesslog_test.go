package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// watchedShop has a table whose reads are audited, two shops, and somebody who has read them: one, both, and none.
func watchedShop(t *testing.T, d *db.DB, o Options) (*Store, []core.ID) {
	t.Helper()
	s := open(t, d, o)
	define(t, s, shop()...)
	define(t, s, core.AlterTable{Of: "shop", Set: map[string]any{"audit_reads": true}})
	role(t, s, "reader", grant("shop", authz.Organization, nil, authz.Read)...)
	ids := mustInsert(t, root(t), s, "shop", core.Record{"code": "a"}, core.Record{"code": "b"})
	ctx := person(t, s, "rita", core.RootUnit, "reader")
	for _, where := range []Cond{ByID(ids[0]), nil, Compare{Column: "code", Op: Eq, Value: "none"}} {
		_, err := s.Records(ctx, s.Snapshot(), Query{Table: "shop", Where: where})
		must(t, err)
	}
	return s, ids
}

// logged are the entries of the access log, the oldest first.
func logged(t testing.TB, s *Store) []accessEntry {
	t.Helper()
	list, err := readAccesses(t.Context(), s.db, s.db.Dialect, func(b *db.Builder) { b.Write("TRUE ORDER BY l.id") })
	must(t, err)
	return list
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ids := watchedShop(t, d, Options{})
		var got [][]string
		for _, e := range logged(t, s) {
			got = append(got, e.records)
		}
		want := [][]string{{string(ids[0])}, {string(ids[0]), string(ids[1])}, nil}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("logged were %v, want %v", got, want)
		}
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error { // the machinery is not logged
			_, err := s.Records(ctx, tx.Snapshot(), Query{Table: "shop"})
			return err
		}))
		if n := len(logged(t, s)); n != 3 {
			t.Errorf("%d entries, want 3", n)
		}
		mustBeSound(t, s)
	})
}

// TestAccessLogOfFailure reads in a unit of work that fails: what was read was read, and what was only tried too.
func TestAccessLogOfFailure(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, _ := watchedShop(t, d, Options{})
		before := len(logged(t, s))
		ctx := as(t, s, logged(t, s)[0].actor)
		failure := errors.New("no")
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			err := tx.DryRun(ctx, func() error {
				_, err := s.Records(ctx, tx.Snapshot(), Query{Table: "shop"})
				return err
			})
			return errors.Join(err, failure)
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if n := len(logged(t, s)) - before; n != 1 {
			t.Errorf("%d entries more, want 1", n)
		}
	})
}

// TestAccessLogOfValues has records say what the marks of the log look like.
func TestAccessLogOfValues(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, core.CreateTable{Define: core.Table{Name: "page", AuditReads: true, Columns: []core.Column{{Name: "text", Kind: core.Text}, {Name: "tree", Kind: core.JSON}}}})
		role(t, s, "reader", grant("page", authz.Organization, nil, authz.Read)...)
		text := `,"` + witnessKey + `0":"` + string(core.NewID()) + `"`
		ids := mustInsert(t, root(t), s, "page", core.Record{"text": text, "tree": map[string]any{"a": text}})
		found, err := s.Find(person(t, s, "rita", core.RootUnit, "reader"), s.Snapshot(), "page", ids[0])
		must(t, err)
		if found["text"] != text {
			t.Errorf("the text is %v", found["text"])
		}
		if got := logged(t, s); len(got) != 1 || !slices.Equal(got[0].records, []string{string(ids[0])}) {
			t.Errorf("logged is %+v", got)
		}
	})
}

// TestAccessLogTamper changes the log past Colonnade.
func TestAccessLogTamper(t *testing.T) {
	t.Parallel()
	const other = "00000000-0000-7000-8000-000000000009"
	attacks := map[string]string{
		"an entry is gone":         `DELETE FROM "_access_log" WHERE id = '$1'`,
		"all entries are gone":     `DELETE FROM "_access_log"`,
		"another actor":            `UPDATE "_access_log" SET actor = '` + other + `' WHERE id = '$1'`,
		"another time":             `UPDATE "_access_log" SET at = '2020-01-01T00:00:00+00:00' WHERE id = '$1'`,
		"other columns":            `UPDATE "_access_log" SET data = '{}' WHERE id = '$1'`,
		"a record is gone":         `DELETE FROM "_access_record" WHERE access_id = '$2' AND record_id = '$a'`,
		"a record is another":      `UPDATE "_access_record" SET record_id = '` + other + `' WHERE access_id = '$1'`,
		"a record is added":        `INSERT INTO "_access_record" (access_id, record_id) VALUES ('$3', '` + other + `')`,
		"an entry is added":        `INSERT INTO "_access_log" (id, at, kind, cause, data, seal) SELECT '` + other + `', at, kind, cause, data, seal FROM "_access_log" WHERE id = '$1'`,
		"an entry of nowhere":      `INSERT INTO "_access_log" (id, at, kind, cause, data, seal) SELECT '` + other + `', at, kind, cause, data, 1 FROM "_access_log" WHERE id = '$1'`,
		"an entry has another row": `UPDATE "_access_log" SET seal = NULL WHERE id = '$1'`,
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s, ids := watchedShop(t, d, Options{})
				must(t, s.sealAccesses(root(t)))
				mustVerify(t, s)
				list := logged(t, s)
				tamper(t, s, strings.NewReplacer("$1", string(list[0].id), "$2", string(list[1].id), "$3", string(list[2].id), "$a", string(ids[0])).Replace(attack))
				out, err := s.Verify(t.Context(), Verify{})
				must(t, err)
				if !slices.ContainsFunc(out.Problems, func(p Problem) bool { return p.Kind == ProblemAccess }) {
					t.Errorf("not found: %+v", out.Problems)
				}
			})
		})
	}
}

// TestAccessLogRetention drops what is old, as far as the hash of it is kept, and what is left can still be verified.
func TestAccessLogRetention(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, _ := watchedShop(t, d, Options{KeepAccesses: 100 * 24 * time.Hour})
		drop := func(now time.Time, want int) {
			t.Helper()
			_, err := s.Retain(root(t), now, 0)
			must(t, err)
			if n := len(logged(t, s)); n != want {
				t.Fatalf("%d entries, want %d", n, want)
			}
		}
		drop(in(200), 3) // without a hash
		must(t, s.sealAccesses(root(t)))
		drop(in(50), 3)
		mustVerify(t, s)
		drop(in(200), 0)
		drop(in(200), 0)
		mustVerify(t, s)
		_, err := s.Records(as(t, s, s.Snapshot().access.Users[len(s.Snapshot().access.Users)-1].ID), s.Snapshot(), Query{Table: "shop"})
		must(t, err)
		must(t, s.sealAccesses(root(t)))
		drop(in(50), 1)
		mustVerify(t, s)
	})
}
