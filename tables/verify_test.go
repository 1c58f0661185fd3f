package tables

import (
	gojson "encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// mustVerify seals what happened and compares it with the seals.
func mustVerify(t testing.TB, s *Store) *Verified {
	t.Helper()
	_, err := s.Seal(t.Context())
	must(t, err)
	out, err := s.Verify(t.Context(), Verify{})
	must(t, err)
	for _, p := range out.Problems {
		t.Errorf("%+v", p)
	}
	if t.Failed() {
		t.FailNow()
	}
	return out
}

// sealedShop is a store with some records, all of whose versions are sealed, in several seals.
func sealedShop(t *testing.T, d *db.DB) (*Store, []core.ID) {
	t.Helper()
	s, ctx := open(t, d, Options{}), root(t)
	define(t, s, shop()...)
	role(t, s, "clerk", grant("shop", authz.Organization, nil, authz.Read)...)
	person(t, s, "ann", core.RootUnit, "clerk")
	sealTo(t, s) // the audit
	ids := mustInsert(t, ctx, s, "shop", core.Record{"code": "a", "city": "Oslo"}, core.Record{"code": "b", "city": "Rome"}, core.Record{"code": "c", "city": "Bern"})
	for _, city := range []string{"Lima", "Kyiv", "Pune"} {
		sealTo(t, s)
		must(t, write(ctx, s, func(tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "shop", Where: ByID(ids[0], ids[1]), Set: core.Record{"city": city}})
			return err
		}))
	}
	must(t, write(ctx, s, func(tx *Tx) error { _, err := tx.Delete(ctx, Remove{Table: "shop", Where: ByID(ids[2])}); return err }))
	sealTo(t, s)
	mustVerify(t, s)
	return s, ids
}

// sealTo seals everything. PostgreSQL lets events be read when no older transaction of the server is at work, be it another
// test's.
func sealTo(t *testing.T, s *Store) {
	t.Helper()
	for {
		_, err := s.Seal(t.Context())
		must(t, err)
		head, err := s.HistoryHead(t.Context())
		must(t, err)
		if head.Unsealed == 0 {
			return
		}
		runtime.Gosched()
	}
}

// TestTamper changes the database past Colonnade, in every way that somebody may think of, and looks whether it is found,
// and where.
func TestTamper(t *testing.T) {
	t.Parallel()
	const a, b = "$a", "$b" // the first two records
	first := func(id string, version int) string {
		return fmt.Sprintf(" WHERE record_id = '%s' AND version = %d", id, version)
	}
	type want struct {
		kind    string
		id      string
		version int64
		seal    int64
	}
	attacks := map[string]struct {
		attack []string
		want   []want
	}{
		"a snapshot": {[]string{`UPDATE "_history" SET data = $json` + first(a, 2)}, []want{{ProblemEdited, a, 2, 3}}},
		"the actor":  {[]string{`UPDATE "_history" SET actor = '00000000-0000-7000-8000-000000000009'` + first(a, 2)}, []want{{ProblemEdited, a, 2, 3}}},
		"the actor of version and event": {[]string{
			`UPDATE "_history" SET actor = '00000000-0000-7000-8000-000000000009'` + first(a, 2), `UPDATE "_event" SET actor = '00000000-0000-7000-8000-000000000009'` + first(a, 2),
		}, []want{{ProblemEdited, a, 2, 3}}},
		"the actor of an event": {[]string{`UPDATE "_event" SET actor = '00000000-0000-7000-8000-000000000009'` + first(a, 2)}, []want{{ProblemEvent, a, 2, 3}}},
		"the time":              {[]string{`UPDATE "_history" SET at = '2020-01-01T00:00:00+00:00'` + first(b, 3)}, []want{{ProblemEdited, b, 3, 4}}},
		"the cause":             {[]string{`UPDATE "_history" SET cause = 'import', cause_id = 'x'` + first(b, 3)}, []want{{ProblemEdited, b, 3, 4}}},
		"on behalf of somebody": {[]string{`UPDATE "_history" SET behalf = '00000000-0000-7000-8000-000000000009'` + first(b, 3)}, []want{{ProblemEdited, b, 3, 4}}},
		"the first version":     {[]string{`DELETE FROM "_history"` + first(a, 1)}, []want{{ProblemRemoved, a, 1, 2}}},
		"a version between":     {[]string{`DELETE FROM "_history"` + first(a, 2)}, []want{{ProblemRemoved, a, 2, 3}}},
		"the last version":      {[]string{`DELETE FROM "_history"` + first(a, 4)}, []want{{ProblemRemoved, a, 4, 5}, {ProblemCurrent, a, 4, 0}}},
		"the last change, everywhere": {[]string{
			`DELETE FROM "_history"` + first(a, 4), `DELETE FROM "_event"` + first(a, 4), `UPDATE "shop" SET version = 3, city = 'Kyiv' WHERE id = '$a'`,
		}, []want{{ProblemRemoved, a, 4, 5}, {ProblemEvent, a, 4, 5}}},
		"an event":               {[]string{`DELETE FROM "_event"` + first(a, 2)}, []want{{ProblemEvent, a, 2, 3}}},
		"two snapshots":          {[]string{`UPDATE "_history" SET data = (SELECT o.data FROM "_history" AS o WHERE o.record_id = '$b' AND o.version = "_history".version)` + first(a, 2)}, []want{{ProblemEdited, a, 2, 3}}},
		"the order of versions":  {[]string{`UPDATE "_history" SET version = 100` + first(a, 2), `UPDATE "_history" SET version = 2` + first(a, 3), `UPDATE "_history" SET version = 3` + first(a, 100)}, []want{{ProblemEdited, a, 2, 3}, {ProblemEdited, a, 3, 4}}},
		"the order of events":    {[]string{`UPDATE "_event" SET record_id = CASE WHEN CAST(record_id AS text) = '$a' THEN '$b'$uuid ELSE '$a'$uuid END WHERE version = 2 AND op = 'update'`}, []want{{ProblemEvent, a, 2, 3}}},
		"a forged last version":  {[]string{`INSERT INTO "_history" (table_name, record_id, version, op, data, actor, cause, at) SELECT table_name, record_id, 5, op, data, actor, cause, at FROM "_history"` + first(a, 4), `UPDATE "shop" SET version = 5 WHERE id = '$a'`}, []want{{ProblemForged, a, 5, 0}}},
		"a forged record":        {[]string{`INSERT INTO "_history" (table_name, record_id, version, op, data, actor, cause, at) SELECT table_name, '00000000-0000-7000-8000-000000000009', 1, 'delete', NULL, actor, cause, at FROM "_history"` + first(a, 4)}, []want{{ProblemForged, "00000000-0000-7000-8000-000000000009", 1, 0}}},
		"a forged event":         {[]string{`INSERT INTO "_event" ($tx seq, table_name, record_id, version, op, actor, cause, depth, at) $identity SELECT $of 0, table_name, record_id, 9, op, actor, cause, 0, at FROM "_event"` + first(a, 1)}, []want{{ProblemEvent, a, 9, 2}}},
		"a row":                  {[]string{`UPDATE "shop" SET city = 'Nice' WHERE id = '$a'`}, []want{{ProblemCurrent, a, 4, 0}}},
		"a row and its version":  {[]string{`UPDATE "shop" SET city = 'Nice', version = 5 WHERE id = '$a'`}, []want{{ProblemCurrent, a, 5, 0}}},
		"a row is gone":          {[]string{`DELETE FROM "shop" WHERE id = '$a'`}, []want{{ProblemCurrent, a, 4, 0}}},
		"a row is forged":        {[]string{`INSERT INTO "shop" (id, version, created_at, created_by, updated_at, updated_by, code) SELECT '00000000-0000-7000-8000-000000000009', 1, created_at, created_by, updated_at, updated_by, 'z' FROM "shop" WHERE id = '$a'`}, []want{{ProblemCurrent, "00000000-0000-7000-8000-000000000009", 1, 0}}},
		"the first seal":         {[]string{`DELETE FROM "_seal" WHERE number = 1`}, []want{{ProblemSeal, "", 0, 2}}},
		"a seal between":         {[]string{`DELETE FROM "_seal" WHERE number = 2`}, []want{{ProblemSeal, "", 0, 3}}},
		"the last seal":          {[]string{`DELETE FROM "_seal" WHERE number = 5`}, []want{{ProblemSeal, "", 0, 5}}},
		"all seals":              {[]string{`DELETE FROM "_seal"`}, []want{{ProblemSeal, "", 0, 1}}},
		"the leaves of a seal":   {[]string{`UPDATE "_seal" SET leaves = (SELECT o.leaves FROM "_seal" AS o WHERE o.number = 4) WHERE number = 3`}, []want{{ProblemSeal, "", 0, 3}}},
		"the salts of a seal":    {[]string{`UPDATE "_seal" SET salts = (SELECT o.salts FROM "_seal" AS o WHERE o.number = 4) WHERE number = 3`}, []want{{ProblemEdited, a, 2, 3}, {ProblemEdited, b, 2, 3}}},
		"the head of a seal":     {[]string{`UPDATE "_seal" SET head = (SELECT o.head FROM "_seal" AS o WHERE o.number = 3) WHERE number = 2`}, []want{{ProblemSeal, "", 0, 2}}},
		"the time of a seal":     {[]string{`UPDATE "_seal" SET at = '2020-01-01T00:00:00+00:00' WHERE number = 2`}, []want{{ProblemSeal, "", 0, 2}}},
		"a definition":           {[]string{`UPDATE "_table" SET definition = (SELECT o.definition FROM "_table" AS o WHERE o.name = 'product') WHERE name = 'shop'`}, []want{{ProblemDefinition, "", 0, 0}}},
		"a table is gone":        {[]string{`DELETE FROM "_table" WHERE name = 'shop'`}, []want{{ProblemDefinition, "", 0, 0}}},
		"a right":                {[]string{`UPDATE "_user" SET disabled = $true`}, []want{{ProblemDefinition, "", 0, 0}}},
		"a grant":                {[]string{`DELETE FROM "_policy"`}, []want{{ProblemDefinition, "", 0, 0}}},
		"a row of the audit":     {[]string{`UPDATE "_audit" SET actor = '00000000-0000-7000-8000-000000000009' WHERE seq = 1`}, []want{{ProblemAudit, "", 1, 0}}},
		"what the audit says":    {[]string{`UPDATE "_audit" SET data = replace(data, 'shop', 'shot') WHERE seq = 1`}, []want{{ProblemAudit, "", 1, 0}, {ProblemDefinition, "", 0, 0}}},
		"the first of the audit": {[]string{`DELETE FROM "_audit" WHERE seq = 1`}, []want{{ProblemAudit, "", 1, 0}}},
		"the last of the audit":  {[]string{`DELETE FROM "_audit" WHERE seq = (SELECT max(seq) FROM "_audit")`}, []want{{ProblemAudit, "", 3, 0}, {ProblemDefinition, "", 0, 0}}},
		"a seal that is no seal": {[]string{`UPDATE "_seal" SET tables = 'x' WHERE number = 2`}, []want{{ProblemSeal, "", 0, 2}}},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ids := sealedShop(t, d)
		words := strings.NewReplacer(a, string(ids[0]), b, string(ids[1]), "$json", `'{"code": "forged"}'`, "$of", "", "$identity", "", "$true", "1", "$tx", "", "$uuid", "")
		if d.Name() == "postgres" {
			words = strings.NewReplacer("$of", "tx,", "$identity", "OVERRIDING SYSTEM VALUE", "$true", "true", "$tx", "tx,", a, string(ids[0]), b, string(ids[1]), "$json", `'{"code": "forged"}'`, "$uuid", "::uuid")
		}
		put := copies(t, s)
		for name, c := range attacks {
			t.Run(name, func(t *testing.T) {
				defer put(t)
				for _, statement := range c.attack {
					tamper(t, s, words.Replace(statement))
				}
				out, err := s.Verify(t.Context(), Verify{})
				must(t, err)
				for _, w := range c.want {
					w.id = words.Replace(w.id)
					if !slices.ContainsFunc(out.Problems, func(p Problem) bool {
						return p.Kind == w.kind && string(p.ID) == w.id && p.Version == w.version && p.Seal == w.seal
					}) {
						t.Errorf("not found: %+v in %+v", w, out.Problems)
					}
				}
				for _, p := range out.Problems { // and nobody else is accused
					if !slices.ContainsFunc(c.want, func(w want) bool { return words.Replace(w.id) == string(p.ID) }) {
						t.Errorf("too much: %+v", p)
					}
				}
			})
		}
		mustVerify(t, s)
	})
}

// copies copies what attacks change, and returns what puts it back.
func copies(t *testing.T, s *Store) func(*testing.T) {
	t.Helper()
	tables := []string{"shop", "_history", "_event", "_seal", "_audit", "_table", "_user", "_policy"}
	for _, table := range tables {
		_, err := s.db.Exec(t.Context(), newBuilder(s).Write("CREATE TABLE ").Name("copy"+table).Write(" AS SELECT * FROM ").Name(table))
		must(t, err)
	}
	return func(t *testing.T) {
		t.Helper()
		for _, table := range tables {
			overriding := ""
			if s.db.Name() == "postgres" {
				overriding = " OVERRIDING SYSTEM VALUE"
			}
			must(t, s.db.ExecAll(t.Context(), newBuilder(s).Write("DELETE FROM ").Name(table),
				newBuilder(s).Write("INSERT INTO ").Name(table).Write(overriding, " SELECT * FROM ").Name("copy"+table)))
		}
	}
}

// tamper changes the database past the store.
func tamper(t *testing.T, s *Store, statement string) {
	t.Helper()
	n, err := s.db.Exec(t.Context(), newBuilder(s).Write(statement))
	must(t, err)
	if n == 0 {
		t.Fatalf("nothing was changed: %s", statement)
	}
}

// TestTamperWholly writes the history and its seals anew, as somebody who has the database and the program can. Only a head
// that was noted elsewhere tells.
func TestTamperWholly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ids := sealedShop(t, d)
		noted, err := s.HistoryHead(t.Context())
		must(t, err)
		heads := []string{noted.Head}
		out, err := s.Verify(t.Context(), Verify{Heads: heads})
		must(t, err)
		if out.Count > 0 || out.Head != noted.Head {
			t.Fatalf("%+v", out)
		}
		mustInsert(t, root(t), s, "shop", core.Record{"code": "d"})
		sealTo(t, s)
		since, err := s.Verify(t.Context(), Verify{Since: noted.Head})
		must(t, err)
		if since.Count > 0 || since.Seals != 1 || since.Versions != 1 {
			t.Fatalf("%+v", since)
		}
		tamper(t, s, `UPDATE "_history" SET cause = 'forged' WHERE record_id = '`+string(ids[0])+`' AND version = 2`)
		tamper(t, s, `UPDATE "_event" SET cause = 'forged' WHERE record_id = '`+string(ids[0])+`' AND version = 2`)
		tamper(t, s, `DELETE FROM "_seal"`)
		tamper(t, s, `DELETE FROM "_cursor" WHERE name = 'seals'`)
		sealTo(t, s)
		mustVerify(t, s)
		for _, o := range []Verify{{Heads: heads}, {Since: noted.Head}} {
			out, err = s.Verify(t.Context(), o)
			must(t, err)
			if out.Count != 1 || out.Problems[0].Kind != ProblemHead {
				t.Fatalf("%+v", out)
			}
		}
		_, err = s.Verify(t.Context(), Verify{Heads: []string{"abc"}})
		wantKind(t, err, core.Invalid, "is no head")
	})
}

// TestTamperByte changes one character of what the history holds, anywhere, and looks whether it is found where it is.
func TestTamperByte(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, _ := sealedShop(t, d)
		var rows []storedVersion
		must(t, s.db.Query(t.Context(), newBuilder(s).Write(`SELECT CAST(h.record_id AS text), `, versionColumns, ` FROM "_history" AS h WHERE data IS NOT NULL ORDER BY h.record_id, h.version`), func(scan func(...any) error) error {
			var v storedVersion
			dest, done := v.into()
			err := scan(append([]any{&v.id}, dest...)...)
			done()
			v.version = *dest[0].(*int64)
			rows = append(rows, v)
			return err
		}))
		random := rand.New(rand.NewPCG(1, 2))
		json := &core.Column{Kind: core.JSON}
		for range 40 {
			v := rows[random.IntN(len(rows))]
			spoilt := slices.Clone(v.data)
			spoilt[random.IntN(len(spoilt))] = "abcdefghij0123456789"[random.IntN(20)]
			if !gojson.Valid(spoilt) || string(appendCanonical(nil, spoilt)) == string(appendCanonical(nil, v.data)) {
				continue
			}
			put := func(data []byte) {
				_, err := s.db.Exec(t.Context(), newBuilder(s).Write(`UPDATE "_history" SET data = `).Value(json, gojson.RawMessage(data)).Write(" WHERE record_id = ").Arg(v.id).Write(" AND version = ").Arg(v.version))
				must(t, err)
			}
			put(spoilt)
			out, err := s.Verify(t.Context(), Verify{})
			must(t, err)
			if out.Count == 0 || out.Problems[0].Kind != ProblemEdited {
				t.Fatalf("%s: %+v", spoilt, out)
			}
			for _, p := range out.Problems { // the last version of a record is compared with its row too
				if p.ID != v.id || p.Version != v.version {
					t.Fatalf("%s: %+v", spoilt, p)
				}
			}
			put(v.data)
		}
		mustVerify(t, s)
	})
}

// TestSealers has two processes seal while others write: every version is in one seal, and the seals follow each other.
func TestSealers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, shop()...)
		stores := []*Store{s, open(t, d, Options{})}
		const each = 20
		var written atomic.Int64
		run(t, 4, func(i int) error {
			if i < 2 {
				for written.Load() < 2*each {
					if _, err := stores[i].Seal(t.Context()); err != nil {
						return err
					}
				}
				return nil
			}
			for n := range each {
				if _, err := insert(root(t), stores[i-2], "shop", core.Record{"code": fmt.Sprint(i, " ", n)}); err != nil {
					return err
				}
				written.Add(1)
			}
			return nil
		})
		sealTo(t, s)
		if out := mustVerify(t, s); out.Versions != 2*each || out.Unsealed != 0 {
			t.Fatalf("%+v", out)
		}
	})
}

// TestCanonical writes JSON as it is hashed.
func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"b": 1.50, "a": [1e3, -0, 1.50e1, 15e-1, true, null, "\u00e9"]}`: `{"a":[1000,0,15.0,1.5,true,null,"é"],"b":1.50}`,
		`{"a": 12345678901234567890123456789.123456789}`:                   `{"a":12345678901234567890123456789.123456789}`,
		`1e99999`: "\x001e99999", `{} x`: "\x00{} x", `{"a"`: "\x00{\"a\"",
	} {
		if got := string(appendCanonical(nil, []byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
