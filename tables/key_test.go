package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// keyed is a table with one key of three kinds under a policy.
func keyed(nulls core.Nulls) core.CreateTable {
	return core.CreateTable{Define: core.Table{Name: "price", Ownership: core.OrgOwned, Columns: []core.Column{
		{Name: "code", Kind: core.Text}, {Name: "size", Kind: core.Decimal, Precision: 6, Scale: 2}, {Name: "day", Kind: core.Date}, {Name: "note", Kind: core.Text},
	}, Keys: []core.Key{{Name: "one", Columns: []string{"code", "size", "day"}, Nulls: nulls}}}}
}

// keyModel is a plain account of what records there may be.
type keyModel struct {
	nulls core.Nulls
	notes map[string]string // by key
	loose int               // records that are like no other
}

// text is the key of a row; compared is false when it is like no other, refused when it cannot be.
func (m *keyModel) text(r core.Record) (key string, compared, refused bool) {
	null := r["code"] == nil || r["size"] == nil || r["day"] == nil
	size := r["size"]
	if size == "1.0" { // the same number
		size = "1.00"
	}
	return fmt.Sprint(r["code"], "|", size, "|", r["day"]), !null || m.nulls == core.NullsEqual, null && m.nulls == core.NullsRefuse
}

func (m *keyModel) put(r core.Record, mode int) (want core.ErrKind, outcome Outcome) {
	key, compared, refused := m.text(r)
	was, exists := m.notes[key]
	exists = exists && compared
	note, _ := r["note"].(string)
	switch {
	case refused:
		return core.Invalid, ""
	case mode == updateOnly && !exists:
		return core.NotFound, ""
	case mode == createOnly && exists:
		return core.Exists, ""
	case exists && was == note:
		return "", Unchanged
	case exists:
		m.notes[key] = note
		return "", Updated
	case !compared:
		m.loose++
	default:
		m.notes[key] = note
	}
	return "", Created
}

const (
	upserting = iota
	createOnly
	updateOnly
)

func conflictOf(mode int) *OnConflict {
	switch mode {
	case createOnly:
		return nil
	case updateOnly:
		return &OnConflict{Key: "one", Update: []string{"note"}, Exists: true}
	}
	return &OnConflict{Key: "one", Update: []string{"note"}}
}

// TestKeysAgainstModel writes random records by a key of three columns and compares with a plain account, under every policy
// for NULL and in every mode.
func TestKeysAgainstModel(t *testing.T) {
	for _, nulls := range []core.Nulls{core.NullsDistinct, core.NullsEqual, core.NullsRefuse} {
		t.Run(string(nulls), func(t *testing.T) {
			each(t, func(t *testing.T, s *Store) {
				define(t, s, keyed(nulls))
				m := &keyModel{nulls: nulls, notes: map[string]string{}}
				for i := range 150 {
					r := core.Record{
						"code": anyOf([]any{"a", "A", nil}), "size": anyOf([]any{"1.0", "1.00", "2", nil}), "day": anyOf([]any{"2026-01-02", nil}),
						"note": anyOf([]any{"x", "y"}),
					}
					mode := rand.IntN(3)
					want, outcome := m.put(r, mode)
					var res Result
					err := s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
						res, err = tx.Insert(ctx, Insert{Table: "price", Rows: []core.Record{r}, OnConflict: conflictOf(mode)})
						return err
					})
					switch {
					case want != "":
						wantKind(t, err, want)
					case err != nil:
						t.Fatalf("write %d, %v, mode %d: %v", i, r, mode, err)
					case res.Items[0].Outcome != outcome:
						t.Fatalf("write %d, %v, mode %d: %s, want %s", i, r, mode, res.Items[0].Outcome, outcome)
					}
				}
				if n := count(t, s, "price"); n != len(m.notes)+m.loose {
					t.Fatalf("%d records, want %d", n, len(m.notes)+m.loose)
				}
			})
		})
	}
}

func anyOf(of []any) any { return of[rand.IntN(len(of))] }

// TestUpsertsOfOneKeyMeet has eight clients upsert the same keys, a NULL among them, at the same time.
func TestUpsertsOfOneKeyMeet(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, keyed(core.NullsEqual))
		rows := []core.Record{
			{"code": "a", "size": "1", "day": "2026-01-02"}, {"code": "a", "size": nil, "day": "2026-01-02"}, {"code": nil, "size": nil, "day": nil},
		}
		const clients, times = 8, 5
		created := make([]int, clients)
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for i := range times {
					batch := make([]core.Record, len(rows))
					for n := range rows {
						batch[n] = rows[n].Clone()
						batch[n]["note"] = fmt.Sprint(c, "-", i)
					}
					err := s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
						res, err := tx.Insert(ctx, Insert{Table: "price", Rows: batch, OnConflict: conflictOf(upserting)})
						created[c] += res.Inserted
						return err
					})
					if err != nil {
						t.Errorf("client %d: %v", c, err)
					}
				}
			})
		}
		all.Wait()
		total := 0
		for _, n := range created {
			total += n
		}
		if n := count(t, s, "price"); n != len(rows) || total != len(rows) {
			t.Fatalf("%d records, %d created; want %d", n, total, len(rows))
		}
	})
}

// TestTreeWithNamesDeletesAndComesBack deletes a large tree whose names are unique in their folder, the folder none included,
// and restores it: neither may make two folders the same for a moment.
func TestTreeWithNamesDeletesAndComesBack(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "folder", Ownership: core.OrgOwned, Columns: []core.Column{
			{Name: "name", Kind: core.Text, Required: true}, {Name: "parent_id", Kind: core.Lookup, Target: "folder", OnDelete: core.Cascade, Inverse: "folders"},
		}, Keys: []core.Key{{Name: "path", Columns: []string{"parent_id", "name"}, Nulls: core.NullsEqual}}}})
		top := mustInsert(t, root(t), s, "folder", core.Record{"name": "top"})[0]
		_, err := insert(root(t), s, "folder", core.Record{"name": "top"})
		wantKind(t, err, core.Exists, "parent_id, name")
		mustInsert(t, root(t), s, "folder", core.Record{"name": "src"})
		var rows []core.Record
		for i := range maxBatch {
			id := string(core.NewID())
			rows = append(rows, core.Record{"id": id, "name": fmt.Sprint("p", i), "parent_id": string(top)}, core.Record{"name": "src", "parent_id": id})
		}
		mustInsert(t, root(t), s, "folder", rows...)
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "folder", Where: ByID(top)})
			return err
		}))
		if n := count(t, s, "folder"); n != 1 {
			t.Fatalf("%d folders left, want src", n)
		}
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Restore(ctx, "folder", top)
			return err
		}))
		if n := count(t, s, "folder"); n != 2*maxBatch+2 {
			t.Fatalf("%d folders", n)
		}
	})
}

// TestPlanOfKeyTellsWhatStandsInItsWay plans keys over records that break them.
func TestPlanOfKeyTellsWhatStandsInItsWay(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "price", Ownership: core.OrgOwned, Columns: []core.Column{
			{Name: "code", Kind: core.Text}, {Name: "size", Kind: core.Integer}, {Name: "long", Kind: core.Text},
		}}})
		mustInsert(t, root(t), s, "price",
			core.Record{"code": "a", "size": 1}, core.Record{"code": "a", "size": 1}, core.Record{"code": "b"}, core.Record{"code": "b"}, core.Record{"code": "c", "size": 1},
			core.Record{"code": "d", "size": 1, "long": strings.Repeat("é", core.MaxKeyBytes/2)})
		role(t, s, "designer", append(grant("price", authz.Organization, []string{"code"}, authz.Read), authz.Grant{Action: "define_tables"})...)
		for _, test := range []struct {
			key       core.Key
			conflicts []int64
			says      string
		}{
			{core.Key{Name: "k", Columns: []string{"code", "size"}}, []int64{2}, "2 records have the same values as others"},
			{core.Key{Name: "k", Columns: []string{"code", "size"}, Nulls: core.NullsEqual}, []int64{2, 2}, "2 records have the same values as others"},
			{core.Key{Name: "k", Columns: []string{"code", "size"}, Nulls: core.NullsRefuse}, []int64{2, 2}, "2 records have no value in a column of a key that takes no null"},
			{core.Key{Name: "k", Columns: []string{"long"}}, []int64{1, 0}, "1 record has values that have more than 2640 bytes together"},
		} {
			p, err := s.PlanChange(root(t), core.AddKey{To: "price", Add: test.key})
			must(t, err)
			var conflicts []int64
			for _, step := range p.Steps {
				conflicts = append(conflicts, step.Conflicts)
				if int(step.Conflicts) != len(step.Examples) {
					t.Errorf("%v: %d conflicts, %d examples", test.key, step.Conflicts, len(step.Examples))
				}
			}
			if fmt.Sprint(conflicts) != fmt.Sprint(test.conflicts) || !strings.HasPrefix(p.Steps[0].What, test.says) {
				t.Errorf("%v: %v %q, want %v %q", test.key, conflicts, p.Steps[0].What, test.conflicts, test.says)
			}
			if err := s.Change(root(t), core.AddKey{To: "price", Add: test.key}); err == nil {
				t.Errorf("%v was added", test.key)
			}
		}
		p, err := s.PlanChange(person(t, s, "dora", core.RootUnit, "designer"), core.AddKey{To: "price", Add: core.Key{Name: "k", Columns: []string{"code", "size"}}})
		must(t, err)
		if e := p.Steps[0].Examples[0]; e.Value != "" || e.Reason != "you may not read the values" {
			t.Errorf("the plan shows %+v to somebody who may not read the code", e)
		}
	})
}

// TestKeysTakeWhatEveryDatabaseCanHold writes the longest values of keys, under every policy and as wide as a key gets.
func TestKeysTakeWhatEveryDatabaseCanHold(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		wide := core.Table{Name: "wide", Ownership: core.OrgOwned}
		for i := range core.MaxKeyColumns {
			c := core.Column{Name: fmt.Sprint("c", i), Kind: core.Decimal, Precision: 38, Scale: 6}
			if i == 0 {
				c = core.Column{Name: "c0", Kind: core.Text}
			}
			wide.Columns = append(wide.Columns, c)
		}
		for _, nulls := range []core.Nulls{core.NullsDistinct, core.NullsEqual} {
			wide.Name = "wide_" + string(nulls)
			wide.Keys = []core.Key{{Name: "all", Nulls: nulls}}
			for _, c := range wide.Columns {
				wide.Keys[0].Columns = append(wide.Keys[0].Columns, c.Name)
			}
			define(t, s, core.CreateTable{Define: wide})
			r := core.Record{}
			for _, c := range wide.Columns {
				r[c.Name] = "-99999999999999999999999999999999.999999"
			}
			room := core.MaxKeyBytes - core.KeySize(core.Text, "") - 15*core.KeySize(core.Decimal, nil)
			r["c0"] = unlike(room)
			mustInsert(t, root(t), s, wide.Name, r)
			empty := core.Record{"c0": unlike(room)}
			mustInsert(t, root(t), s, wide.Name, empty)
			r["c0"] = unlike(room + 1)
			_, err := insert(root(t), s, wide.Name, r)
			wantKind(t, err, core.Invalid, "the values of c0, c1, c2", "have 2641 bytes together", "at most 2640")
		}
		define(t, s, core.CreateTable{Define: core.Table{Name: "page", Ownership: core.OrgOwned, Columns: []core.Column{{Name: "url", Kind: core.Text, Unique: true}, {Name: "body", Kind: core.LongText}},
			Indexes: []core.Index{{Name: "bodies", Columns: []core.IndexColumn{{Column: "body"}}}}}})
		mustInsert(t, root(t), s, "page", core.Record{"url": unlike(core.MaxKeyBytes - core.KeySize(core.Text, ""))})
		_, err := insert(root(t), s, "page", core.Record{"url": unlike(core.MaxKeyBytes)})
		wantKind(t, err, core.Invalid, "page.url", "the value has 2648 bytes together")
		if s.db.Name() == "postgres" {
			_, err = insert(root(t), s, "page", core.Record{"body": unlike(9000)})
			wantKind(t, err, core.Invalid, "too long for an index")
		}
	})
}

// unlike is a text of n bytes that does not compress.
func unlike(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + rand.IntN(90))
	}
	return string(b)
}

// TestPolicyOfKeyChanges replaces a key by one of another policy, and back.
func TestPolicyOfKeyChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		define(t, s, keyed(core.NullsDistinct))
		row := core.Record{"code": "a", "size": nil, "day": nil}
		mustInsert(t, root(t), s, "price", row, row)
		to := func(nulls core.Nulls) error {
			return s.Change(root(t), core.DropPart{Part: core.PartKey, Of: "price", Name: "one"}, core.AddKey{To: "price", Add: core.Key{Name: "one", Columns: []string{"code", "size", "day"}, Nulls: nulls}})
		}
		wantKind(t, to(core.NullsEqual), core.Exists, "price.code")
		wantKind(t, to(core.NullsRefuse), core.Invalid, "2 records have no value in a column of a key")
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "price", Where: And{}})
			return err
		}))
		must(t, to(core.NullsEqual))
		mustInsert(t, root(t), s, "price", row)
		_, err := insert(root(t), s, "price", row)
		wantKind(t, err, core.Exists, "the same values in code, size, day, which are a key")
		define(t, s, core.RenameColumns{Of: "price", To: map[string]string{"code": "article"}})
		_, err = insert(root(t), s, "price", core.Record{"article": "a"})
		wantKind(t, err, core.Exists, "the same values in article, size, day")
		wantKind(t, s.Change(root(t), core.DropColumn{Of: "price", Name: "article"}), core.Invalid, "the key one names the column: drop it first")
		must(t, s.Change(root(t), core.DropPart{Part: core.PartKey, Of: "price", Name: "one"}, core.AddKey{To: "price", Add: core.Key{Name: "one", Columns: []string{"article", "size", "day"}}}))
		mustInsert(t, root(t), s, "price", core.Record{"article": "a"})
	})
}

// TestEveryKindOfKeyTakesNull makes each kind that can be unique a key for which NULL is a value like others.
func TestEveryKindOfKeyTakesNull(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "kind", Columns: []core.Column{{Name: "a", Kind: core.Text}}}})
		for _, kind := range core.Kinds() {
			c := core.Column{Name: "a", Kind: kind}
			if err := json.Unmarshal([]byte(kind.Example().Settings), &c); err != nil {
				t.Fatal(err)
			}
			c.Unique, c.Default = false, ""
			table := core.Table{Name: "of_" + string(kind), Columns: []core.Column{c, {Name: "b", Kind: core.Integer}}, Keys: []core.Key{{Name: "k", Columns: []string{"a", "b"}, Nulls: core.NullsEqual}}}
			if err := s.Change(root(t), core.CreateTable{Define: table}); core.KindOf(err) == core.Invalid {
				if !strings.Contains(err.Error(), "cannot be part of a key") {
					t.Fatal(err)
				}
				continue
			} else if err != nil {
				t.Fatal(kind, err)
			}
			mustInsert(t, root(t), s, table.Name, core.Record{})
			if c.Required || kind == core.Status || kind == core.Autonumber {
				continue // it is never NULL
			}
			_, err := insert(root(t), s, table.Name, core.Record{})
			wantKind(t, err, core.Exists)
		}
	})
}

// TestKeyIsBuiltWhileWritersGoOn adds a key for which NULL is a value to a table that is too large to keep its writers waiting.
func TestKeyIsBuiltWhileWritersGoOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{MaxBlocked: 2})
		plain := keyed(core.NullsDistinct)
		plain.Define.Keys = nil
		define(t, s, plain)
		mustInsert(t, root(t), s, "price", core.Record{"code": "a"}, core.Record{"code": "b"}, core.Record{"code": "c"}, core.Record{"code": "c", "size": 1})
		add := core.AddKey{To: "price", Add: core.Key{Name: "one", Columns: []string{"code", "size"}, Nulls: core.NullsEqual}}
		double := mustInsert(t, root(t), s, "price", core.Record{"code": "a"})
		_, err := s.ApplyChange(root(t), ChangeOptions{MayBlock: true}, add)
		wantKind(t, err, core.Exists, "same values")
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "price", Where: ByID(double...)})
			return err
		}))
		_, err = s.ApplyChange(root(t), ChangeOptions{MayBlock: d.Online() == ""}, add)
		must(t, err)
		_, err = insert(root(t), s, "price", core.Record{"code": "b"})
		wantKind(t, err, core.Exists, "the same values in code, size")
		mustInsert(t, root(t), s, "price", core.Record{"code": "d"})
		built, err := s.Records(root(t), s.Snapshot(), Query{Table: indexBuilds, Where: Compare{Column: "state", Op: Eq, Value: indexValid}})
		must(t, err)
		if want := map[bool]int{true: 0, false: 2}[d.Online() == ""]; len(built) != want {
			t.Fatalf("%d indexes were built, want %d", len(built), want)
		}
		mustBeSound(t, s)
	})
}
