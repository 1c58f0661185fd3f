package tables

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// likeModel is a plain account of the records of a table and of which are like each other.
type likeModel struct {
	rules   []core.DuplicateRule
	records map[core.ID]core.Record
}

// isLike reports whether two records are the same under a rule, by looking at them.
func isLike(r core.DuplicateRule, a, b core.Record) bool {
	for _, x := range []core.Record{a, b} {
		if r.When != "" && x["state"] == "gone" {
			return false
		}
	}
	if r.Scope == core.ScopeUnit && a["unit_id"] != b["unit_id"] {
		return false
	}
	for _, dc := range r.Columns {
		va, vb := plainForms(dc, a[dc.Column]), plainForms(dc, b[dc.Column])
		if va == "" || va != vb {
			return false
		}
	}
	return true
}

// plainForms is what the test takes for the form of a value: its texts have no more to them.
func plainForms(dc core.DuplicateColumn, v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	switch dc.Compare {
	case core.SameWords:
		return strings.ToLower(strings.Trim(s, " .!"))
	case core.SameEmail:
		if !strings.Contains(s, "@") {
			return ""
		}
		return strings.ToLower(s)
	}
	return s
}

// decide says what a write of the record does: the rule that blocks it, or the records that it is like, by rule.
func (m *likeModel) decide(id core.ID, before, next core.Record) (blocked bool, likes map[string][]core.ID) {
	likes = map[string][]core.ID{}
	for _, r := range m.rules {
		if before != nil && isLike(r, before, before) && isLike(r, next, next) && isLike(r, before, next) {
			continue // nothing that the rule compares has changed
		}
		for other, o := range m.records {
			if other != id && isLike(r, next, o) {
				likes[r.Name] = append(likes[r.Name], other)
				blocked = blocked || r.Do == core.BlockDuplicate
			}
		}
	}
	return blocked, likes
}

func randomPerson() core.Record {
	return core.Record{
		"name": anyOf([]any{"Ann", "ann", "ANN.", "Bob", "bob!", nil, "  ", "..."}), "mail": anyOf([]any{"a@x.org", "A@x.org", "b@x.org", "none", nil}),
		"size": anyOf([]any{int64(1), int64(2), nil}), "state": anyOf([]any{"here", "gone", nil}),
	}
}

func randomRules() []core.DuplicateRule {
	columns := [][]core.DuplicateColumn{
		{{Column: "name", Compare: core.SameWords}}, {{Column: "name"}}, {{Column: "mail", Compare: core.SameEmail}},
		{{Column: "name", Compare: core.SameWords}, {Column: "size"}}, {{Column: "size"}, {Column: "mail"}},
	}
	rand.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
	var out []core.DuplicateRule
	for i, c := range columns[:1+rand.IntN(3)] {
		out = append(out, core.DuplicateRule{
			Name: fmt.Sprint("rule ", i), Columns: c, When: anyOf([]any{"", "isNull(state) || state != 'gone'"}).(string),
			Scope: anyOf([]any{core.ScopeTable, core.ScopeUnit}).(core.DuplicateScope), Do: anyOf([]any{core.WarnDuplicate, core.BlockDuplicate}).(core.DuplicateDeed),
		})
	}
	return out
}

// TestDuplicatesAgainstModel makes random rules over random records, and random writes, and compares what is refused and what
// is told with a look at all records.
func TestDuplicatesAgainstModel(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "person", Columns: []core.Column{
			{Name: "name", Kind: core.Text}, {Name: "mail", Kind: core.Text}, {Name: "size", Kind: core.Integer}, {Name: "state", Kind: core.Text},
		}}})
		m := &likeModel{records: map[core.ID]core.Record{}}
		writers := []context.Context{root(t)}
		role(t, s, "all", grant("person", authz.Organization, nil, authz.Create, authz.Read, authz.Update, authz.Delete)...)
		for i := range 2 {
			writers = append(writers, person(t, s, fmt.Sprint("p", i), unit(t, s, fmt.Sprint("unit", i), core.RootUnit), "all"))
		}
		for round := range 8 {
			for _, r := range m.rules {
				define(t, s, core.DropPart{Part: core.PartDuplicate, Of: "person", Name: r.Name})
			}
			m.rules = randomRules()
			for _, r := range m.rules {
				define(t, s, core.PutDuplicateRule{On: "person", Put: r})
			}
			for step := range 25 {
				m.write(t, s, writers[rand.IntN(len(writers))], fmt.Sprint("round ", round, ", step ", step))
			}
			if len(m.records) > 25 {
				for id := range m.records {
					m.remove(t, s, id)
					if len(m.records) < 12 {
						break
					}
				}
			}
			m.check(t, s)
		}
	})
}

func (m *likeModel) write(t *testing.T, s *Store, ctx context.Context, at string) {
	t.Helper()
	ids := slices.Sorted(func(yield func(core.ID) bool) {
		for id := range m.records {
			if !yield(id) {
				return
			}
		}
	})
	if len(ids) > 0 && rand.IntN(8) == 0 {
		m.remove(t, s, ids[rand.IntN(len(ids))])
		return
	}
	r := randomPerson()
	var before core.Record
	id := core.NewID()
	if len(ids) > 0 && rand.IntN(2) == 0 {
		id = ids[rand.IntN(len(ids))]
		before = m.records[id]
	}
	next := r.Clone()
	next["unit_id"] = before["unit_id"]
	if before == nil {
		next["unit_id"] = string(core.RootUnit)
		if u := core.CallerFrom(ctx).Unit; u != "" {
			next["unit_id"] = string(u)
		}
	}
	blocked, likes := m.decide(id, before, next)
	var res Result
	err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
		if before == nil {
			r["id"] = string(id)
			res, err = tx.Insert(ctx, Insert{Table: "person", Rows: []core.Record{r}})
		} else {
			res, err = tx.Update(ctx, Update{Table: "person", Where: ByID(id), Set: r})
		}
		return err
	})
	if blocked {
		if core.KindOf(err) != core.Exists {
			t.Fatalf("%s: %v was written, with %v; rules %+v", at, next, err, m.rules)
		}
		return
	}
	must(t, err)
	told := map[string]int{}
	for _, d := range res.Items[0].Duplicates {
		told[d.Rule]++
		if !slices.Contains(likes[d.Rule], d.Record) {
			t.Fatalf("%s: %v is not like %v, as %s says", at, next, m.records[d.Record], d.Rule)
		}
	}
	for rule, found := range likes {
		if told[rule] != min(len(found), maxLikes) {
			t.Fatalf("%s: %s tells of %d of %d records like %v", at, rule, told[rule], len(found), next)
		}
	}
	m.records[id] = next
}

func (m *likeModel) remove(t *testing.T, s *Store, id core.ID) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Delete(ctx, Remove{Table: "person", Where: ByID(id)})
		return err
	}))
	delete(m.records, id)
}

// check compares the lists of duplicates.
func (m *likeModel) check(t *testing.T, s *Store) {
	t.Helper()
	for _, r := range m.rules {
		want := 0
		for id, rec := range m.records {
			for other, o := range m.records {
				if id != other && isLike(r, rec, o) {
					want++
					break
				}
			}
		}
		out, err := call(root(t), s.Actions(), "find_duplicates", fmt.Sprintf(`{"table": "person", "rule": %q, "limit": 100}`, r.Name))
		must(t, err)
		got := 0
		for _, g := range out["groups"].([]any) {
			got += len(g.(map[string]any)["records"].([]any))
		}
		if got != want {
			t.Fatalf("%+v finds %d records, want %d", r, got, want)
		}
	}
}

// TestOneOfEqualRecordsGetsIn has eight clients write the same records under a rule that blocks: one of each is there in the end.
func TestOneOfEqualRecordsGetsIn(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "person", Columns: []core.Column{{Name: "mail", Kind: core.Text}},
			Duplicates: []core.DuplicateRule{{Name: "mail", Do: core.BlockDuplicate, Columns: []core.DuplicateColumn{{Column: "mail", Compare: core.SameEmail}}}}}})
		const clients, mails = 8, 12
		var all sync.WaitGroup
		var written [clients]int
		for c := range clients {
			all.Go(func() {
				for i := range mails {
					mail := fmt.Sprintf("p%d@x.org", i)
					if c%2 == 1 {
						mail = strings.ToUpper(mail)
					}
					_, err := insert(root(t), s, "person", core.Record{"mail": mail})
					switch core.KindOf(err) {
					case "":
						written[c]++
					case core.Exists:
						if !strings.Contains(core.AsError(err).Public(), `rule "mail"`) {
							t.Errorf("the refusal does not name the rule: %v", err)
						}
					default:
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		total := 0
		for _, n := range written {
			total += n
		}
		if n := count(t, s, "person"); n != mails || total != mails {
			t.Fatalf("%d records, %d written; want %d", n, total, mails)
		}
	})
}

// TestManyRecordsAreComparedAfterTheChange makes a rule over a table that is too large for one transaction, with writes before
// and while its records are compared.
func TestManyRecordsAreComparedAfterTheChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{MaxBlocked: 100})
		define(t, s, core.CreateTable{Define: core.Table{Name: "person", Columns: []core.Column{{Name: "mail", Kind: core.Text}}}})
		rows := make([]core.Record, 2*duplicateBatch+50)
		for i := range rows {
			rows[i] = core.Record{"mail": fmt.Sprintf("p%d@x.org", i/2)}
		}
		ids := mustInsert(t, root(t), s, "person", rows...)
		rule := core.DuplicateRule{Name: "mail", Do: core.BlockDuplicate, Columns: []core.DuplicateColumn{{Column: "mail", Compare: core.SameEmail}}}
		p, err := s.PlanChange(root(t), core.PutDuplicateRule{On: "person", Put: rule})
		must(t, err)
		if p.Steps[0].Lock != LockNone {
			t.Fatalf("%+v", p.Steps)
		}
		define(t, s, core.PutDuplicateRule{On: "person", Put: rule})
		state := func(want string, records int) {
			t.Helper()
			found, err := s.Records(root(t), s.Snapshot(), Query{Table: "_duplicate_index"})
			must(t, err)
			if len(found) != 1 || found[0]["state"] != want || found[0]["records"] != int64(records) {
				t.Fatalf("%v, want %s after %d", found, want, records)
			}
		}
		state(duplicatesFilling, 0)
		mustInsert(t, root(t), s, "person", core.Record{"mail": "new@x.org"})
		_, err = insert(root(t), s, "person", core.Record{"mail": "NEW@x.org"})
		wantKind(t, err, core.Exists, `rule "mail"`)
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "person", Where: ByID(ids[3]), Set: core.Record{"mail": "moved@x.org"}})
			return err
		}))
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Delete(ctx, Remove{Table: "person", Where: ByID(ids[5])})
			return err
		}))
		if _, err := s.fillNext(root(t)); err != nil {
			t.Fatal(err)
		}
		state(duplicatesFilling, duplicateBatch)
		must(t, open(t, d, Options{MaxBlocked: 100}).FillDuplicates(t.Context())) // another process goes on
		state(duplicatesReady, len(rows))                                         // one more was written, one deleted
		for _, mail := range []string{"p0@x.org", "moved@x.org", "p1@X.org", fmt.Sprintf("p%d@x.org", len(rows)/2-1)} {
			_, err := insert(root(t), s, "person", core.Record{"mail": mail})
			wantKind(t, err, core.Exists, `rule "mail"`)
		}
		if n := rowsOf(t, s, "_duplicate"); n != len(rows) {
			t.Fatalf("%d marks of %d records", n, len(rows))
		}
		define(t, s, core.DropTable{Name: "person"}, core.UndoTable{Name: "person"})
		_, err = insert(root(t), s, "person", core.Record{"mail": "p0@x.org"})
		wantKind(t, err, core.Exists)
		_, err = s.ApplyChange(root(t), ChangeOptions{MayBlock: true}, core.RetypeColumn{Of: "person", To: core.Column{Name: "mail", Kind: core.LongText}, Keep: true})
		must(t, err)
		must(t, s.FillDuplicates(t.Context()))
		_, err = insert(root(t), s, "person", core.Record{"mail": "P0@x.org"})
		wantKind(t, err, core.Exists)
		drop := core.DropPart{Part: core.PartDuplicate, Of: "person", Name: "mail"}
		wantKind(t, s.Change(root(t), drop), core.Limit, "writers would wait")
		_, err = s.ApplyChange(root(t), ChangeOptions{MayBlock: true}, drop)
		must(t, err)
		if n := rowsOf(t, s, "_duplicate") + rowsOf(t, s, "_duplicate_index"); n != 0 {
			t.Fatalf("%d rows are left of the rule", n)
		}
		mustBeSound(t, s)
	})
}

// TestMergeTakesWhatIsBlocked merges records where the winner takes over what a rule allows once.
func TestMergeTakesWhatIsBlocked(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "person", Columns: []core.Column{{Name: "mail", Kind: core.Text}},
			Duplicates: []core.DuplicateRule{{Name: "mail", Do: core.BlockDuplicate, Columns: []core.DuplicateColumn{{Column: "mail", Compare: core.SameEmail}}}}}})
		ids := mustInsert(t, root(t), s, "person", core.Record{}, core.Record{"mail": "a@x.org"})
		var out Merged
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) (err error) {
			out, err = tx.Merge(ctx, Merge{Table: "person", Winner: ids[0], Losers: ids[1:], Take: map[string]core.ID{"mail": ids[1]}})
			return err
		}))
		if got := find(t, s, "person", ids[0])["mail"]; got != "a@x.org" {
			t.Fatalf("the winner has %v", got)
		}
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Unmerge(ctx, "person", out.ID)
			return err
		}))
		_, err := insert(root(t), s, "person", core.Record{"mail": "A@x.org"})
		wantKind(t, err, core.Exists)
	})
}

// TestEveryComparisonHasAForm looks whether each comparison that a rule may name is there.
func TestEveryComparisonHasAForm(t *testing.T) {
	for _, c := range core.Comparisons {
		if form, ok := forms[c]; !ok || form == nil && c != core.Exact {
			t.Errorf("%s has no form", c)
		}
	}
}

// unmarked returns what of the records and what is kept of them for the duplicate rules does not fit.
func unmarked(t testing.TB, s *Store, records map[string]map[string]core.Record) (problems []string) {
	t.Helper()
	kept := map[string]string{} // by rule and record
	b := newBuilder(s).Write(`SELECT d.rule, d.record_id, d.value FROM "_duplicate" AS d JOIN "_duplicate_index" AS x ON x.rule_key = d.rule WHERE x.state = 'ready'`)
	must(t, s.db.Query(t.Context(), b, func(scan func(...any) error) error {
		var key int64
		var id core.ID
		var value string
		err := scan(&key, &id, &value)
		kept[fmt.Sprint(key, " ", id)] = value
		return err
	}))
	for table, rules := range s.Snapshot().duplicates {
		for _, r := range rules {
			for id, rec := range records[table] {
				value, err := r.value(rec, core.System("test"))
				must(t, err)
				at := fmt.Sprint(r.key, " ", id)
				if kept[at] != value {
					problems = append(problems, fmt.Sprintf("%s %s is compared by %q under %s, and kept is %q", table, id, value, r.Name, kept[at]))
				}
				delete(kept, at)
			}
		}
	}
	for at, value := range kept {
		problems = append(problems, fmt.Sprintf("the row %s, %q, is of no record", at, value))
	}
	return problems
}
