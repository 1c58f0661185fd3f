package tables

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// naive is all records as they are stored, by table and id, and what calculated columns are by the words of their formulas.
type naive struct {
	rows     map[string]map[any]core.Record
	formulas map[string]map[string]func(n *naive, r core.Record) any
}

func (n *naive) value(table string, r core.Record, column string) any {
	if f := n.formulas[table][column]; f != nil {
		return f(n, r)
	}
	return r[column]
}

// up returns the record that the lookup leads to, nil for none.
func (n *naive) up(table string, r core.Record, lookup string) core.Record {
	if r == nil || r[lookup] == nil {
		return nil
	}
	return n.rows[table][r[lookup]]
}

// of returns the records of the table that look r up.
func (n *naive) of(table, lookup string, r core.Record) (out []core.Record) {
	for _, id := range sortedIDs(n.rows[table]) {
		if c := n.rows[table][id]; c[lookup] == r["id"] {
			out = append(out, c)
		}
	}
	return out
}

// below returns all records under r.
func (n *naive) below(r core.Record) []core.Record {
	seen := map[any]core.Record{}
	next := n.of("account", "parent_id", r)
	for len(next) > 0 {
		c := next[0]
		next = next[1:]
		if seen[c["id"]] == nil {
			seen[c["id"]] = c
			next = append(next, n.of("account", "parent_id", c)...)
		}
	}
	delete(seen, r["id"])
	var out []core.Record
	for _, c := range seen {
		out = append(out, c)
	}
	return out
}

func (n *naive) sum(table string, all []core.Record, column string) any {
	total := int64(0)
	for _, c := range all {
		if v, ok := n.value(table, c, column).(int64); ok {
			total += v
		}
	}
	return total
}

// derivedColumn is a calculated column, with several formulas that it may have.
type derivedColumn struct {
	table, column string
	kind          core.Kind
	choices       []meaning
}

type meaning struct {
	formula string
	means   func(n *naive, r core.Record) any
}

func times(a, b any) any {
	x, ok := a.(int64)
	y, both := b.(int64)
	if !ok || !both {
		return nil
	}
	return x * y
}

// slots are the columns of the tables below, those that others read before them.
var slots = []derivedColumn{
	{"item", "twice", core.Integer, []meaning{
		{"price * 2", func(_ *naive, r core.Record) any { return times(r["price"], int64(2)) }},
		{"price * price", func(_ *naive, r core.Record) any { return times(r["price"], r["price"]) }},
	}},
	{"item", "rate", core.Integer, []meaning{
		{"invoice.rate", func(n *naive, r core.Record) any { return n.up("invoice", r, "invoice_id")["rate"] }},
		{"invoice.rate * price", func(n *naive, r core.Record) any {
			return times(n.up("invoice", r, "invoice_id")["rate"], r["price"])
		}},
	}},
	{"item", "region", core.Text, []meaning{
		{"invoice.account.region.name", func(n *naive, r core.Record) any {
			return n.up("region", n.up("account", n.up("invoice", r, "invoice_id"), "account_id"), "region_id")["name"]
		}},
	}},
	{"invoice", "total", core.Integer, []meaning{
		{"item.sum(i, i.price)", func(n *naive, r core.Record) any { return n.sum("item", n.of("item", "invoice_id", r), "price") }},
		{"item.sum(i, i.price * rate, i.open)", func(n *naive, r core.Record) any {
			total := int64(0)
			for _, i := range n.of("item", "invoice_id", r) {
				if v, ok := times(i["price"], r["rate"]).(int64); ok && i["open"] == true {
					total += v
				}
			}
			return total
		}},
		{"item.sum(i, i.twice)", func(n *naive, r core.Record) any { return n.sum("item", n.of("item", "invoice_id", r), "twice") }},
		{"item.sum(i, i.rate)", func(n *naive, r core.Record) any { return n.sum("item", n.of("item", "invoice_id", r), "rate") }},
	}},
	{"invoice", "lines", core.Integer, []meaning{
		{"item.count()", func(n *naive, r core.Record) any { return int64(len(n.of("item", "invoice_id", r))) }},
		{"item.max(i, i.price)", func(n *naive, r core.Record) any {
			var best any
			for _, i := range n.of("item", "invoice_id", r) {
				if v, ok := i["price"].(int64); ok && (best == nil || v > best.(int64)) {
					best = v
				}
			}
			return best
		}},
	}},
	{"invoice", "ready", core.Boolean, []meaning{
		{"item.exists(i, i.open) && total > 10", func(n *naive, r core.Record) any {
			open := slices.ContainsFunc(n.of("item", "invoice_id", r), func(i core.Record) bool { return i["open"] == true })
			return open && n.value("invoice", r, "total").(int64) > 10
		}},
	}},
	{"account", "total", core.Integer, []meaning{
		{"invoice.sum(x, x.total)", func(n *naive, r core.Record) any { return n.sum("invoice", n.of("invoice", "account_id", r), "total") }},
		{"invoice.sum(x, x.total, x.ready)", func(n *naive, r core.Record) any {
			return n.sum("invoice", slices.DeleteFunc(n.of("invoice", "account_id", r), func(x core.Record) bool { return n.value("invoice", x, "ready") != true }), "total")
		}},
		{"invoice.sum(x, x.item.sum(i, i.price))", func(n *naive, r core.Record) any {
			total := int64(0)
			for _, x := range n.of("invoice", "account_id", r) {
				total += n.sum("item", n.of("item", "invoice_id", x), "price").(int64)
			}
			return total
		}},
	}},
	{"account", "tree", core.Integer, []meaning{
		{"descendants(children).sum(a, a.credit)", func(n *naive, r core.Record) any { return n.sum("account", n.below(r), "credit") }},
		{"descendants(children).sum(a, a.total)", func(n *naive, r core.Record) any { return n.sum("account", n.below(r), "total") }},
	}},
	{"account", "above", core.Integer, []meaning{
		{"parent.total", func(n *naive, r core.Record) any {
			if p := n.up("account", r, "parent_id"); p != nil {
				return n.value("account", p, "total")
			}
			return nil
		}},
		{"parent.parent.credit", func(n *naive, r core.Record) any {
			return n.up("account", n.up("account", r, "parent_id"), "parent_id")["credit"]
		}},
	}},
	{"account", "weight", core.Integer, []meaning{
		{"tags.sum(x, x.weight)", func(n *naive, r core.Record) any {
			total := int64(0)
			for _, l := range n.of("account_tag", "account_id", r) {
				if w, ok := n.up("tag", l, "tag_id")["weight"].(int64); ok {
					total += w
				}
			}
			return total
		}},
		{"tags.count()", func(n *naive, r core.Record) any { return int64(len(n.of("account_tag", "account_id", r))) }},
	}},
	{"account", "notes", core.Integer, []meaning{
		{"note.sum(n, n.size)", func(n *naive, r core.Record) any { return n.sum("note", n.of("note", "about_id", r), "size") }},
	}},
	{"note", "credit", core.Integer, []meaning{
		{"about.account.credit", func(n *naive, r core.Record) any { return n.up("account", r, "about_id")["credit"] }},
		{"about.account.total", func(n *naive, r core.Record) any {
			if a := n.up("account", r, "about_id"); a != nil {
				return n.value("account", a, "total")
			}
			return nil
		}},
	}},
	{"region", "total", core.Integer, []meaning{
		{"account.sum(a, a.total)", func(n *naive, r core.Record) any { return n.sum("account", n.of("account", "region_id", r), "total") }},
	}},
	{"tag", "reach", core.Integer, []meaning{
		{"accounts.sum(a, a.total + 1)", func(n *naive, r core.Record) any {
			total := int64(0)
			for _, l := range n.of("account_tag", "tag_id", r) {
				total += n.value("account", n.up("account", l, "account_id"), "total").(int64) + 1
			}
			return total
		}},
	}},
	{"invoice", "share", core.Integer, []meaning{
		{"account.total", func(n *naive, r core.Record) any {
			if a := n.up("account", r, "account_id"); a != nil {
				return n.value("account", a, "total")
			}
			return nil
		}},
	}},
}

// ledger makes the tables, with the calculated columns as the dice fall: stored most of them, some virtual, some not there.
func ledger(t testing.TB, s *Store, r *rand.Rand) *naive {
	t.Helper()
	link, err := manyToMany(core.Record{"table": "account", "target": "tag", "field": "tags", "inverse": "accounts"})
	must(t, err)
	number := func(name string) core.Column { return core.Column{Name: name, Kind: core.Integer} }
	define(t, s,
		core.CreateTable{Define: core.Table{Name: "region", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
		core.CreateTable{Define: core.Table{Name: "tag", Columns: []core.Column{number("weight")}}},
		core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{number("credit"),
			{Name: "region_id", Kind: core.Lookup, Target: "region", OnDelete: core.SetNull},
			{Name: "parent_id", Kind: core.Lookup, Target: "account", Relation: "parent", Inverse: "children", OnDelete: core.SetNull}}}},
		core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{number("rate"),
			{Name: "account_id", Kind: core.Lookup, Target: "account", OnDelete: core.SetNull}}}},
		core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{number("price"), {Name: "open", Kind: core.Boolean},
			{Name: "invoice_id", Kind: core.Lookup, Target: "invoice", OnDelete: core.Cascade}}}},
		core.CreateTable{Define: core.Table{Name: "note", Columns: []core.Column{number("size"),
			{Name: "about_id", Kind: core.AnyLookup, Targets: []string{"account", "region"}, OnDelete: core.SetNull}}}},
		link)
	n := &naive{formulas: map[string]map[string]func(*naive, core.Record) any{}}
	var told []string
	for _, one := range slots {
		c := one.choices[r.IntN(len(one.choices))]
		column := core.Column{Name: one.column, Kind: one.kind, Formula: c.formula, Stored: r.IntN(4) > 0}
		if n.formulas[one.table] == nil {
			n.formulas[one.table] = map[string]func(*naive, core.Record) any{}
		}
		n.formulas[one.table][one.column] = c.means
		define(t, s, core.AddColumn{To: one.table, Add: column})
		told = append(told, fmt.Sprintf("%s.%s = %s, stored: %t", one.table, one.column, c.formula, column.Stored))
	}
	t.Log(strings.Join(told, "\n"))
	return n
}

// load reads all records.
func (n *naive) load(t testing.TB, s *Store) {
	t.Helper()
	n.rows = map[string]map[any]core.Record{}
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
		for _, table := range ledgerTables {
			found, err := tx.records(ctx, table, "", nil, false)
			if err != nil {
				return err
			}
			n.rows[table] = map[any]core.Record{}
			for _, r := range found {
				n.rows[table][r["id"]] = r
			}
		}
		return nil
	}))
}

var ledgerTables = []string{"region", "tag", "account", "invoice", "item", "note", "account_tag"}

// wrong tells what differs between what is stored, what is read, and what the formulas mean.
func (n *naive) wrong(t testing.TB, s *Store) (out []string) {
	t.Helper()
	n.load(t, s)
	for table, columns := range n.formulas {
		read, err := s.Records(root(t), s.Snapshot(), Query{Table: table, Limit: MaxLimit})
		must(t, err)
		of, err := s.Snapshot().Schema.Table(table)
		must(t, err)
		for _, r := range read {
			for name, means := range columns {
				want := means(n, n.rows[table][r["id"]])
				if !equal(r[name], want) {
					out = append(out, fmt.Sprintf("%s.%s of %v is read as %v, and should be %v", table, name, r["id"], r[name], want))
				}
				if c, _ := of.Column(name); c.Stored && !equal(n.rows[table][r["id"]][name], want) {
					out = append(out, fmt.Sprintf("%s.%s of %v is stored as %v, and should be %v", table, name, r["id"], n.rows[table][r["id"]][name], want))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// scribe writes to the ledger at random.
type scribe struct {
	*rand.Rand
	ids     map[string][]any // that were there when it began, by table
	gone    map[string][]any
	merges  []core.ID // of accounts
	imports map[string][]core.ID
	purges  bool

	imported, undone, unmerged, purged, came int // how many times it could
}

func (w *scribe) some(table string) any {
	if all := w.ids[table]; len(all) > 0 && w.IntN(8) > 0 {
		return all[w.IntN(len(all))]
	}
	return nil
}

func (w *scribe) number() any {
	if w.IntN(8) == 0 {
		return nil
	}
	return w.Int64N(20)
}

// row returns values for a record, all of them or some.
func (w *scribe) row(table string, all bool) core.Record {
	r := core.Record{}
	put := func(name string, v func() any) {
		if all || w.IntN(3) == 0 {
			r[name] = v()
		}
	}
	lookup := func(table string) func() any { return func() any { return w.some(table) } }
	switch table {
	case "region":
		put("name", func() any { return fmt.Sprint("r", w.IntN(5)) })
	case "tag":
		put("weight", w.number)
	case "account":
		put("credit", w.number)
		put("region_id", lookup("region"))
		put("parent_id", lookup("account"))
	case "invoice":
		put("rate", w.number)
		put("account_id", lookup("account"))
	case "item":
		put("price", w.number)
		put("open", func() any { return w.IntN(2) == 0 })
		put("invoice_id", lookup("invoice"))
	case "note":
		put("size", w.number)
		put("about_id", func() any {
			table := []string{"account", "region"}[w.IntN(2)]
			if id := w.some(table); id != nil {
				return fmt.Sprint(table, ":", id)
			}
			return nil
		})
	case "account_tag":
		r["account_id"], r["tag_id"] = w.some("account"), w.some("tag")
	}
	return r
}

func (w *scribe) few(table string) (out []core.ID) {
	for range 1 + w.IntN(3) {
		if id, ok := w.some(table).(string); ok && !slices.Contains(out, core.ID(id)) {
			out = append(out, core.ID(id))
		}
	}
	return out
}

// act does one thing.
func (w *scribe) act(ctx context.Context, s *Store, tx *Tx) error {
	table := ledgerTables[w.IntN(len(ledgerTables))]
	if w.IntN(2) == 0 {
		table = "item"
	}
	switch w.IntN(13) {
	case 10:
		return w.load(ctx, tx, table)
	case 11:
		if gone := w.gone[table]; w.purges && len(gone) > 0 && w.IntN(3) == 0 {
			out, err := tx.Purge(ctx, Purge{Table: table, IDs: []core.ID{core.ID(gone[w.IntN(len(gone))].(string))}})
			w.purged += len(out.Tables)
			return err
		}
		if id, ok := w.some(table).(string); ok {
			_, err := tx.RestoreVersion(ctx, table, core.ID(id), 1+w.Int64N(3), 0)
			return err
		}
	case 12:
		if len(w.merges) > 0 && w.IntN(2) == 0 {
			out, err := tx.Unmerge(ctx, "account", w.merges[w.IntN(len(w.merges))])
			w.unmerged += len(out.Restored)
			return err
		}
		if ids := w.few("account"); len(ids) > 1 {
			done, err := tx.Merge(ctx, Merge{Table: "account", Winner: ids[0], Losers: ids[1:]})
			w.merges = append(w.merges, done.ID)
			return err
		}
	case 0, 1, 2:
		var rows []core.Record
		for range 1 + w.IntN(3) {
			rows = append(rows, w.row(table, true))
		}
		res, err := tx.Insert(ctx, Insert{Table: table, Rows: rows})
		for _, id := range res.IDs {
			w.ids[table] = append(w.ids[table], string(id))
		}
		return err
	case 3, 4, 5, 6:
		if set := w.row(table, false); table != "account_tag" && len(set) > 0 {
			_, err := tx.Update(ctx, Update{Table: table, Where: ByID(w.few(table)...), Set: set})
			return err
		}
	case 7:
		res, err := tx.Delete(ctx, Remove{Table: table, Where: ByID(w.few(table)...)})
		for _, id := range res.IDs {
			w.gone[table] = append(w.gone[table], string(id))
		}
		return err
	case 8:
		if gone := w.gone[table]; len(gone) > 0 {
			out, err := tx.Restore(ctx, table, core.ID(gone[w.IntN(len(gone))].(string)))
			w.came += len(out.IDs)
			return err
		}
	case 9:
		_, err := s.Records(ctx, tx.snap, Query{Table: table, Limit: 3}) // what was made stale is computed now
		return err
	}
	return nil
}

// load imports some rows, or takes an import back.
func (w *scribe) load(ctx context.Context, tx *Tx, table string) error {
	if all := w.imports[table]; len(all) > 0 && w.IntN(2) == 0 {
		out, err := tx.UndoImport(ctx, table, all[w.IntN(len(all))], "", 100)
		w.undone += out.Deleted + out.Restored
		return err
	}
	batch, in := core.NewID(), Import{Table: table, Mode: ImportCreate}
	rows := []ImportRow{{Line: 2, Values: w.row(table, true)}}
	if id := w.some(table); id != nil && table != "account_tag" && w.IntN(2) == 0 {
		in.Mode, in.Key = ImportUpsert, table+"_pkey"
		rows[0].Values["id"] = id
	}
	for name := range rows[0].Values {
		c, err := tx.store.ImportColumn(ctx, tx.snap, table, name)
		if err != nil {
			return err
		}
		in.Columns = append(in.Columns, c)
	}
	for name, v := range rows[0].Values { // as a file has been read
		if n, ok := v.(int); ok {
			rows[0].Values[name] = int64(n)
		}
	}
	ctx = core.WithCaller(ctx, because(core.CallerFrom(ctx), "import", batch))
	im, err := tx.Importer(ctx, in)
	if err != nil {
		return err
	}
	res, err := im.Write(ctx, rows)
	w.imported += res.Created + res.Changed
	w.imports[table] = append(w.imports[table], batch)
	return err
}

// work writes some units, a part of each of which is undone now and then.
func (w *scribe) work(ctx context.Context, t testing.TB, s *Store, units int) {
	for range units {
		seed := w.Uint64()
		err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			w.Rand = rand.New(rand.NewPCG(seed, 1))
			for range 1 + w.IntN(3) {
				if w.IntN(4) > 0 {
					if err := w.act(ctx, s, tx); err != nil {
						return err
					}
					continue
				}
				undone := w.IntN(2) == 0
				err := tx.Savepoint(ctx, func() error {
					err := w.act(ctx, s, tx)
					if err == nil && undone {
						err = errTried
					}
					return err
				})
				if core.KindOf(err) == core.Internal && !errors.Is(err, errTried) {
					return err
				}
			}
			return nil
		})
		if err != nil && core.KindOf(err) == core.Internal {
			t.Errorf("a write failed: %v", err)
		}
	}
}

// TestStoredEqualsComputed writes with several writers at once to tables with random stored and virtual columns that read
// parents, children, links and trees: rows, deletes, restores, merges and imports that are taken back, and purges. Whenever it is
// quiet each column is compared with the meaning of its formula, and some of them are stored from then on or not any more. At the
// end they are read as of the moments when it was quiet. COLONNADE_UNITS is how many units of work each database does at least;
// 700 when not set.
func TestStoredEqualsComputed(t *testing.T) {
	t.Parallel()
	const rounds, writers, units = 3, 3, 15
	for try := range max(4, envInt("COLONNADE_UNITS", 0)/(rounds*writers*units)) {
		t.Run(fmt.Sprint(try), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				seed := uint64(time.Now().UnixNano())
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 2))
				s := open(t, d, Options{})
				n := ledger(t, s, r)
				var done scribe
				var quiet []moments
				for round := range rounds {
					n.load(t, s)
					var all sync.WaitGroup
					scribes := make([]*scribe, writers)
					for i := range scribes {
						w := &scribe{Rand: rand.New(rand.NewPCG(r.Uint64(), 3)), ids: map[string][]any{}, gone: map[string][]any{}, imports: map[string][]core.ID{}, purges: try%2 == 1}
						for table, rows := range n.rows {
							w.ids[table] = sortedIDs(rows)
						}
						scribes[i] = w
						all.Go(func() { w.work(root(t), t, s, units) })
					}
					all.Wait()
					for _, w := range scribes {
						done.add(w)
					}
					if wrong := n.wrong(t, s); len(wrong) > 0 {
						t.Fatalf("round %d: %d values are wrong:\n%s", round, len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
					}
					if try%2 == 0 {
						quiet = append(quiet, moments{time.Now(), n.read(t, s, time.Time{})})
					}
					if try%4 < 2 {
						n.restore(t, s, r)
					}
				}
				for _, q := range quiet {
					if was := n.read(t, s, q.at); was != q.values {
						t.Errorf("as of %v the columns are\n%s\nand were\n%s", q.at, was, q.values)
					}
				}
				mustVerify(t, s)
				if try%2 == 0 { // a purge leaves events without history
					mustBeSound(t, s)
				}
				t.Logf("%d rows imported, %d taken back, %d came back, %d merges undone, %d purged", done.imported, done.undone, done.came, done.unmerged, done.purged)
			})
		})
	}
}

// moments is what the calculated columns were when it was quiet.
type moments struct {
	at     time.Time
	values string
}

// read returns all records of the tables with calculated columns, as they were; now without a time.
func (n *naive) read(t testing.TB, s *Store, at time.Time) string {
	t.Helper()
	var out []string
	for table := range n.formulas {
		found, err := s.Records(root(t), s.Snapshot(), Query{Table: table, At: at, Limit: MaxLimit})
		must(t, err)
		for _, r := range found {
			for _, name := range []string{"version", "updated_at", "updated_by"} { // of a virtual column that is stored later
				delete(r, name)
			}
			out = append(out, fmt.Sprint(table, r))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// restore has one of the columns be stored, or not any more.
func (n *naive) restore(t testing.TB, s *Store, r *rand.Rand) {
	t.Helper()
	slot := slots[r.IntN(len(slots))]
	of, err := s.Snapshot().Schema.Table(slot.table)
	must(t, err)
	c, ok := of.Column(slot.column)
	if !ok {
		t.Fatalf("there is no %s.%s", slot.table, slot.column)
	}
	define(t, s, core.AlterColumn{Of: slot.table, Column: slot.column, Set: map[string]any{"stored": !c.Stored}})
}

func (w *scribe) add(o *scribe) {
	w.imported, w.undone, w.unmerged, w.purged, w.came = w.imported+o.imported, w.undone+o.undone, w.unmerged+o.unmerged, w.purged+o.purged, w.came+o.came
}

// totals makes invoices with a stored total of their items, which read the name of their invoice.
func totals(t testing.TB, s *Store) {
	t.Helper()
	define(t, s,
		core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{{Name: "name", Kind: core.Text}}}},
		core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{{Name: "price", Kind: core.Integer},
			{Name: "invoice_id", Kind: core.Lookup, Target: "invoice"}, {Name: "of", Kind: core.Text, Formula: "invoice.name", Stored: true}}}},
		core.AddColumn{To: "invoice", Add: core.Column{Name: "total", Kind: core.Integer, Formula: "item.sum(i, i.price)", Stored: true}})
}

// TestWideSettle changes one record that more than one page of others read.
func TestWideSettle(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
		const n = 2*maxBatch + 1
		rows := make([]core.Record, n)
		for i := range rows {
			rows[i] = core.Record{"price": 1, "invoice_id": string(ids[0])}
		}
		mustInsert(t, root(t), s, "item", rows...)
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Update(ctx, Update{Table: "invoice", Where: ByID(ids...), Set: core.Record{"name": "b"}})
			return err
		}))
		invoice, err := s.Find(root(t), s.Snapshot(), "invoice", ids[0])
		must(t, err)
		if invoice["total"] != int64(n) || invoice["version"] != int64(3) {
			t.Errorf("the invoice is %v, want the total %d in version 3", invoice, n)
		}
		count := 0
		for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "item", Where: Compare{Column: "of", Op: Eq, Value: "b"}}) {
			must(t, err)
			if r["version"] != int64(2) {
				t.Fatalf("an item has version %v, want 2", r["version"])
			}
			count++
		}
		if count != n {
			t.Errorf("%d items have the new name, want %d", count, n)
		}
	})
}

// TestVerifyComputes changes an item past Colonnade: its invoice is told to have another total.
func TestVerifyComputes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d, Options{})
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
		items := mustInsert(t, root(t), s, "item", core.Record{"price": 1, "invoice_id": string(ids[0])})
		_, err := d.Exec(t.Context(), db.New(d.Dialect).Write(`UPDATE "item" SET price = 2`))
		must(t, err)
		v, err := s.Verify(root(t), Verify{})
		must(t, err)
		var kinds []string
		for _, p := range v.Problems {
			kinds = append(kinds, fmt.Sprint(p.Kind, " ", p.Table, " ", p.ID))
		}
		slices.Sort(kinds)
		want := []string{fmt.Sprint("current item ", items[0]), fmt.Sprint("derived invoice ", ids[0])}
		if !slices.Equal(kinds, want) {
			t.Errorf("found %q, want %q", kinds, want)
		}
	})
}

// TestIdleColumns counts the versions of records that a change leaves as they were: none is added.
func TestIdleColumns(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
		items := mustInsert(t, root(t), s, "item", core.Record{"price": 1, "invoice_id": string(ids[0])}, core.Record{"price": 2, "invoice_id": string(ids[0])})
		must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error { // one goes up as the other goes down
			_, err := tx.UpdateRows(ctx, "item", []RowUpdate{{ID: items[0], Set: core.Record{"price": 2}}, {ID: items[1], Set: core.Record{"price": 1}}})
			return err
		}))
		r, err := s.Find(root(t), s.Snapshot(), "invoice", ids[0])
		must(t, err)
		if r["version"] != int64(2) || r["total"] != int64(3) {
			t.Errorf("the invoice is %v, want the total 3 in version 2", r)
		}
	})
}

// TestWritersBelowOneRecord has writers add items to the same invoices at once: they wait for each other, and none is refused.
func TestWritersBelowOneRecord(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"}, core.Record{"name": "b"})
		const writers, items = 4, 15
		run(t, writers, func(i int) error {
			for n := range items {
				rows := []core.Record{{"price": 1, "invoice_id": string(ids[(i+n)%2])}, {"price": 1, "invoice_id": string(ids[(i+n+1)%2])}}
				if _, err := insert(root(t), s, "item", rows...); err != nil {
					return err
				}
			}
			return nil
		})
		for _, id := range ids {
			if r := find(t, s, "invoice", id); r["total"] != int64(writers*items) || r["version"] != int64(writers*items+1) {
				t.Errorf("an invoice is %v, want the total %d, and a version for each change", r, writers*items)
			}
		}
	})
}

// TestStoredReadsLikeVirtual asks for a stored column and for a virtual one with the same formula, as callers who may read more
// or less of what they depend on: the answers are the same, whether the column is selected, compared, sorted by or counted.
func TestStoredReadsLikeVirtual(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		number := func(name string) core.Column { return core.Column{Name: name, Kind: core.Integer} }
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{number("credit")}}},
			core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{number("rate"), {Name: "account_id", Kind: core.Lookup, Target: "account"}}}},
			core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{number("price"), {Name: "invoice_id", Kind: core.Lookup, Target: "invoice"}}}})
		twins := []struct{ table, name, formula string }{
			{"item", "credit", "invoice.account.credit"}, {"invoice", "total", "item.sum(i, i.price) * rate"},
			{"account", "total", "invoice.sum(x, x.item.sum(i, i.price) * x.rate)"}, {"account", "lines", "invoice.sum(x, x.item.count())"},
		}
		for _, w := range twins {
			c := core.Column{Name: w.name, Kind: core.Integer, Formula: w.formula}
			define(t, s, core.AddColumn{To: w.table, Add: c})
			c.Name, c.Stored = w.name+"_stored", true
			define(t, s, core.AddColumn{To: w.table, Add: c})
		}
		r := rand.New(rand.NewPCG(5, 6))
		var accounts, invoices []core.ID
		for range 6 {
			accounts = append(accounts, mustInsert(t, root(t), s, "account", core.Record{"credit": r.IntN(5)})...)
		}
		for range 15 {
			invoices = append(invoices, mustInsert(t, root(t), s, "invoice", core.Record{"rate": r.IntN(4), "account_id": string(accounts[r.IntN(6)])})...)
		}
		for range 40 {
			mustInsert(t, root(t), s, "item", core.Record{"price": r.IntN(9), "invoice_id": string(invoices[r.IntN(15)])})
		}
		read := func(table, condition string, hidden ...string) authz.Grant {
			return authz.Grant{Table: table, Privilege: authz.Read, Level: authz.Organization, Condition: condition, Hidden: hidden}
		}
		role(t, s, "all", read("account", ""), read("invoice", ""), read("item", ""))
		role(t, s, "cheap", read("account", ""), read("invoice", "rate < 2"), read("item", ""))
		role(t, s, "poor", read("account", "credit < 3"), read("invoice", ""), read("item", "price > 2"))
		role(t, s, "blind", read("account", "", "credit"), read("invoice", ""), read("item", "", "price"))
		role(t, s, "part", read("account", ""), read("invoice", "rate > 0"), read("invoice", "", "rate"), read("item", ""))
		role(t, s, "alone", read("account", ""))
		for _, name := range []string{"all", "cheap", "poor", "blind", "part", "alone"} {
			ctx := person(t, s, name, core.RootUnit, name)
			for _, w := range twins {
				virtual, stored := seenAs(t, ctx, s, w.table, w.name), seenAs(t, ctx, s, w.table, w.name+"_stored")
				if virtual != stored {
					t.Errorf("%s reads %s.%s as\n%s\nand when it is stored as\n%s", name, w.table, w.name, virtual, stored)
				}
			}
		}
	})
}

// seenAs is everything that the caller can learn of a column.
func seenAs(t *testing.T, ctx context.Context, s *Store, table, column string) string {
	t.Helper()
	var out []string
	ask := func(q Query) {
		q.Table = table
		if q.Fields == nil {
			q.Fields = []Field{{As: "id", Column: "id"}, {As: "c", Column: column}}
		}
		raw, err := s.Query(ctx, s.Snapshot(), q, nil)
		if err != nil {
			msg, _, _ := strings.Cut(core.AsError(err).Msg, ";") // without a suggestion
			raw = []byte(msg)
		}
		out = append(out, string(raw))
	}
	byID := Order{Column: "id"}
	ask(Query{Order: []Order{byID}})
	ask(Query{Order: []Order{{Column: column}, byID}, Fields: []Field{{As: "id", Column: "id"}}})
	for n := range 6 {
		ask(Query{Where: Compare{Column: column, Op: Gt, Value: 3 * n}, Order: []Order{byID}, Fields: []Field{{As: "id", Column: "id"}}})
	}
	ask(Query{Where: Compare{Column: column, Op: IsNull, Value: true}, Order: []Order{byID}, Fields: []Field{{As: "id", Column: "id"}}})
	return strings.Join(out, "\n")
}

// TestStoredLaterAsOf reads columns as of moments before they were stored: what their formulas make of the records of then.
func TestStoredLaterAsOf(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
		items := mustInsert(t, root(t), s, "item", core.Record{"price": 1, "invoice_id": string(ids[0])})
		before := time.Now()
		set := func(price int) {
			must(t, write(root(t), s, func(tx *Tx) error {
				_, err := tx.Update(root(t), Update{Table: "item", Where: ByID(items...), Set: core.Record{"price": price}})
				return err
			}))
		}
		set(5)
		define(t, s, core.AddColumn{To: "invoice", Add: core.Column{Name: "twice", Kind: core.Integer, Formula: "item.sum(i, i.price * 2)", Stored: true}})
		set(7)
		for at, want := range map[time.Time][2]int64{before: {1, 2}, time.Now(): {7, 14}} {
			found, err := s.Records(root(t), s.Snapshot(), Query{Table: "invoice", At: at, Where: Compare{Column: "twice", Op: Gt, Value: 0}})
			must(t, err)
			if len(found) != 1 || found[0]["total"] != want[0] || found[0]["twice"] != want[1] {
				t.Errorf("as of %v: %v, want %v", at, found, want)
			}
		}
	})
}

// TestStoredAgainAsOf reads a column as of a moment at which it was not stored, or not there, as it was before and is again.
func TestStoredAgainAsOf(t *testing.T) {
	virtual := core.AlterColumn{Of: "invoice", Column: "total", Set: map[string]any{"stored": false}}
	stored := core.AlterColumn{Of: "invoice", Column: "total", Set: map[string]any{"stored": true}}
	drop, undo := core.DropColumn{Of: "invoice", Name: "total"}, core.UndoColumn{Of: "invoice", Name: "total"}
	for _, c := range [][]core.Change{{virtual, stored}, {drop, undo}, {virtual, stored, virtual, stored}, {virtual, drop, undo, stored}, {drop, undo, drop, undo}} {
		t.Run(fmt.Sprintf("%T/%d", c[0], len(c)), func(t *testing.T) {
			each(t, func(t *testing.T, s *Store) {
				totals(t, s)
				ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "a"})
				price, want := 0, map[time.Time]int64{}
				insert := func() {
					price++
					mustInsert(t, root(t), s, "item", core.Record{"price": price, "invoice_id": string(ids[0])})
					want[time.Now()] = int64(price * (price + 1) / 2)
				}
				insert()
				for _, change := range c {
					define(t, s, change)
					insert()
				}
				for at, want := range want {
					found, err := s.Records(root(t), s.Snapshot(), Query{Table: "invoice", At: at})
					must(t, err)
					if len(found) != 1 || found[0]["total"] != want {
						t.Errorf("as of %v: %v, want %v", at, found, want)
					}
				}
				mustVerify(t, s)
				mustBeSound(t, s)
			})
		})
	}
}

// TestStoredOfUsers stores what is read of a user, whose changes the unit of work does not see: it is refused. Virtual it is not.
func TestStoredOfUsers(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, core.CreateTable{Define: core.Table{Name: "job", Columns: []core.Column{{Name: "who_id", Kind: core.Lookup, Target: "_user", Relation: "who"}}}})
		name := core.Column{Name: "who_name", Kind: core.Text, Formula: "who.name"}
		define(t, s, core.AddColumn{To: "job", Add: name})
		name.Name, name.Stored = "who_kept", true
		wantKind(t, s.Change(root(t), core.AddColumn{To: "job", Add: name}), core.Invalid)
	})
}

// TestAsOfReach reads the past of a record that was in the caller's reach by another record, and is out of it now.
func TestAsOfReach(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		totals(t, s)
		ids := mustInsert(t, root(t), s, "invoice", core.Record{"name": "open"})
		mustInsert(t, root(t), s, "item", core.Record{"price": 1, "invoice_id": string(ids[0])})
		role(t, s, "clerk", authz.Grant{Table: "item", Privilege: authz.Read, Level: authz.Organization, Condition: "invoice.name == 'open'"})
		ctx := person(t, s, "clerk", core.RootUnit, "clerk")
		read := func(at time.Time) int {
			found, err := s.Records(ctx, s.Snapshot(), Query{Table: "item", At: at})
			must(t, err)
			return len(found)
		}
		then := time.Now()
		if n := read(then); n != 1 {
			t.Fatalf("%d items of an open invoice", n)
		}
		must(t, write(root(t), s, func(tx *Tx) error {
			_, err := tx.Update(root(t), Update{Table: "invoice", Where: ByID(ids...), Set: core.Record{"name": "closed"}})
			return err
		}))
		if n := read(then); n != 0 {
			t.Error("an item that is out of reach now is shown as it was")
		}
	})
}

// TestWritersAtBothEnds has one writer lead a record to others along lookups and lists, while another changes what is read at the
// other end of the way, several records further: one waits for the other, and the values are right.
func TestWritersAtBothEnds(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		link := func(name, target string) core.Column {
			return core.Column{Name: name + "_id", Kind: core.Lookup, Target: target, OnDelete: core.SetNull}
		}
		stored := func(kind core.Kind, name, formula string) core.Column {
			return core.Column{Name: name, Kind: kind, Formula: formula, Stored: true}
		}
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "region", Columns: []core.Column{{Name: "rate", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{link("region", "region")}}},
			core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{link("account", "account"), {Name: "fee", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "shop"}},
			core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{link("invoice", "invoice"), link("shop", "shop")}}},
		)
		define(t, s, core.AddColumn{To: "item", Add: stored(core.Integer, "rate", "invoice.account.region.rate")},
			core.AddColumn{To: "item", Add: stored(core.Integer, "fees", "invoice.account.invoice.sum(i, i.fee)")},
			core.AddColumn{To: "invoice", Add: stored(core.Integer, "peers", "account.invoice.sum(i, i.fee)")},
			core.AddColumn{To: "shop", Add: stored(core.Integer, "rates", "item.sum(i, i.invoice.account.region.rate)")})
		one := func(table string, r core.Record) core.ID { return mustInsert(t, root(t), s, table, r)[0] }
		region := one("region", core.Record{"rate": 0})
		account := one("account", core.Record{"region_id": string(region)})
		invoice, other := one("invoice", core.Record{"account_id": string(account), "fee": 0}), one("invoice", core.Record{"account_id": string(account), "fee": 0})
		shop := one("shop", core.Record{})
		add := func(table string, r core.Record) func(context.Context, *Tx) error {
			return func(ctx context.Context, tx *Tx) error {
				_, err := tx.Insert(ctx, Insert{Table: table, Rows: []core.Record{r.Clone()}})
				return err
			}
		}
		n := 0
		set := func(table string, id core.ID, column string) func(context.Context, *Tx) error {
			return func(ctx context.Context, tx *Tx) error {
				n++
				_, err := tx.Update(ctx, Update{Table: table, Where: ByID(id), Set: core.Record{column: n}})
				return err
			}
		}
		for _, near := range []func(context.Context, *Tx) error{
			add("item", core.Record{"invoice_id": string(invoice), "shop_id": string(shop)}), add("invoice", core.Record{"account_id": string(account), "fee": 1}),
		} {
			for _, far := range []func(context.Context, *Tx) error{set("region", region, "rate"), set("invoice", other, "fee")} {
				meet(t, s, near, far)
				meet(t, s, far, near)
				mustVerify(t, s)
			}
		}
	})
}

// TestWritersAtLookupsOfNothing has one writer come to a record on a way that ends there, since its lookup is NULL, while another
// leads it on: whoever is second sees what the first has done, at whichever step the lookup is NULL.
func TestWritersAtLookupsOfNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		link := func(name string) core.Column {
			return core.Column{Name: name + "_id", Kind: core.Lookup, Target: name, OnDelete: core.SetNull}
		}
		stored := func(name, formula string) core.Column {
			return core.Column{Name: name, Kind: core.Integer, Formula: formula, Stored: true}
		}
		define(t, s,
			core.CreateTable{Define: core.Table{Name: "region", Columns: []core.Column{{Name: "rate", Kind: core.Integer}}}},
			core.CreateTable{Define: core.Table{Name: "account", Columns: []core.Column{link("region")}}},
			core.CreateTable{Define: core.Table{Name: "invoice", Columns: []core.Column{link("account")}}},
			core.CreateTable{Define: core.Table{Name: "shop"}},
			core.CreateTable{Define: core.Table{Name: "item", Columns: []core.Column{link("invoice"), link("shop")}}},
		)
		define(t, s, core.AddColumn{To: "item", Add: stored("rate", "invoice.account.region.rate")}, core.AddColumn{To: "invoice", Add: stored("rate", "account.region.rate")},
			core.AddColumn{To: "shop", Add: stored("rates", "item.sum(i, i.invoice.account.region.rate)")}, core.AddColumn{To: "region", Add: stored("items", "account.sum(a, a.invoice.sum(i, i.item.count()))")})
		one := func(table string, r core.Record) core.ID { return mustInsert(t, root(t), s, table, r)[0] }
		region := one("region", core.Record{"rate": 7})
		to := func(id core.ID) any {
			if id == "" {
				return nil
			}
			return string(id)
		}
		for _, gap := range []string{"item", "invoice", "account"} { // whose lookup is NULL
			for _, added := range []bool{true, false} { // the near writer makes the item, or leads one there
				for _, nearFirst := range []bool{true, false} {
					id := map[string]core.ID{"region": region}
					below := map[string]string{"account": "region", "invoice": "account", "item": "invoice"}
					for _, table := range []string{"account", "invoice"} {
						next := id[below[table]]
						if table == gap {
							next = ""
						}
						id[table] = one(table, core.Record{below[table] + "_id": to(next)})
					}
					shop := one("shop", core.Record{})
					item := one("item", core.Record{"shop_id": string(shop)})
					set := func(table, column string, id, next core.ID) func(context.Context, *Tx) error {
						return func(ctx context.Context, tx *Tx) error {
							_, err := tx.Update(ctx, Update{Table: table, Where: ByID(id), Set: core.Record{column: string(next)}})
							return err
						}
					}
					near := set("item", "invoice_id", item, id["invoice"])
					if added {
						near = func(ctx context.Context, tx *Tx) error {
							_, err := tx.Insert(ctx, Insert{Table: "item", Rows: []core.Record{{"shop_id": string(shop), "invoice_id": string(id["invoice"])}}})
							return err
						}
					}
					far := set(gap, below[gap]+"_id", id[gap], id[below[gap]])
					if gap == "item" {
						far = func(ctx context.Context, tx *Tx) error {
							_, err := tx.Update(ctx, Update{Table: "region", Where: ByID(region), Set: core.Record{"rate": 8}})
							return err
						}
					}
					if nearFirst {
						meet(t, s, near, far)
					} else {
						meet(t, s, far, near)
					}
					if r := find(t, s, "shop", shop); r["rates"] != find(t, s, "region", region)["rate"] {
						t.Errorf("NULL at %s, added %t, near first %t: the shop has %v", gap, added, nearFirst, r["rates"])
					}
					mustVerify(t, s)
				}
			}
		}
	})
}

// meet has the first write, and what depends on it be computed; then has the second write until it is done or waits for the first,
// which commits then.
func meet(t *testing.T, s *Store, first, second func(context.Context, *Tx) error) {
	t.Helper()
	done := make(chan error, 1)
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		if err := tx.settle(ctx); err != nil {
			return err
		}
		go func() { done <- s.Tx(root(t), TxOptions{}, second) }()
		for waits := tx.db.Lock() == ""; !waits && len(done) == 0; { // SQLite has one writer
			b := newBuilder(s).Write("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN (SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database WHERE d.datname = current_database()))")
			if err := tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&waits) }); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, <-done)
}
