package tables

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
)

// tell is in every text of a definition that an attacker writes, and in no SQL of ours.
const tell = "zq9zq"

// hostileTexts would end a text, a name, a comment, a pattern or a placeholder, had they become SQL.
var hostileTexts = []string{
	`'; DROP TABLE zq9zq; --`, `zq9zq" OR ""="`, `zq9zq\`, `\'zq9zq`, `$1 zq9zq #1 ?`, `/* zq9zq */`, `{zq9zq,"}`, `zq9zq'||(SELECT 1)||'`, "zq9zq\n--", `E'zq9zq'`, `%zq9zq_`, `zq9zq]`, `zq9zq" COLLATE "C`, `a.b['zq9zq']`, "`zq9zq`", "$zq9zq$",
}

// heard is a dialect whose statements are kept as they are sent.
type heard struct {
	db.Dialect
	mu    sync.Mutex
	texts []string
}

func (h *heard) Open(ctx context.Context, source string, o db.Options) (db.Engine, error) {
	e, err := h.Dialect.Open(ctx, source, o)
	return &heardEngine{e, h}, err
}

func (h *heard) keep(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, text)
}

type heardEngine struct {
	db.Engine
	to *heard
}

func (e *heardEngine) Tx(ctx context.Context, o db.TxOptions, f func(db.Session) error) error {
	return e.Engine.Tx(ctx, o, func(s db.Session) error { return f(&heardSession{s, e.to}) })
}

func (e *heardEngine) Exec(ctx context.Context, text string, args []any) (int64, error) {
	return (&heardSession{e.Engine, e.to}).Exec(ctx, text, args)
}

func (e *heardEngine) ExecAll(ctx context.Context, statements []*db.Builder) error {
	return (&heardSession{e.Engine, e.to}).ExecAll(ctx, statements)
}

func (e *heardEngine) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	return (&heardSession{e.Engine, e.to}).Query(ctx, text, args, each)
}

func (e *heardEngine) Answer(ctx context.Context, text string, args []any, s *db.Shape, dst []byte) ([]byte, error) {
	return (&heardSession{e.Engine, e.to}).Answer(ctx, text, args, s, dst)
}

type heardSession struct {
	db.Session
	to *heard
}

func (s *heardSession) Exec(ctx context.Context, text string, args []any) (int64, error) {
	s.to.keep(text)
	return s.Session.Exec(ctx, text, args)
}

func (s *heardSession) ExecAll(ctx context.Context, statements []*db.Builder) error {
	for _, b := range statements {
		s.to.keep(b.String())
	}
	return s.Session.ExecAll(ctx, statements)
}

func (s *heardSession) Query(ctx context.Context, text string, args []any, each func(scan func(dest ...any) error) error) error {
	s.to.keep(text)
	return s.Session.Query(ctx, text, args, each)
}

func (s *heardSession) Answer(ctx context.Context, text string, args []any, sh *db.Shape, dst []byte) ([]byte, error) {
	s.to.keep(text)
	return s.Session.Answer(ctx, text, args, sh, dst)
}

// spelled is a text in SQL, as both dialects spell the constant that a column gets as its default: there nothing can be bound.
var spelled = regexp.MustCompile(`E'(?:[^'\\]|\\\\|'')*'|'(?:[^']|'')*'`)

// TestInjectionOfDefinitions defines tables out of hostile texts wherever a definition takes one, and then reads, writes and changes
// them: a text is refused, or never becomes SQL but as the constant that is the default of a column.
func TestInjectionOfDefinitions(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, d db.Dialect, source string) {
		ears := &heard{Dialect: d}
		s := open(t, dbtest.Open(t, ears, source), Options{})
		taken, refused := 0, 0
		for i, p := range hostileTexts {
			table, other := "thing"+strconv.Itoa(i), "other"+strconv.Itoa(i)
			define(t, s, core.CreateTable{Define: core.Table{Name: other, Columns: []core.Column{{Name: "title", Kind: core.Text}}}})
			base := core.Table{Name: table, Label: p, Doc: p, Columns: []core.Column{
				{Name: "title", Kind: core.Text, Label: p, Doc: p}, {Name: "data", Kind: core.JSON, Label: p}, {Name: "at", Kind: core.Timestamp}, {Name: "n", Kind: core.Decimal, Precision: 10, Scale: 2},
				{Name: "state", Kind: core.Choice, Options: []core.Option{{Value: "a", Label: p}, {Value: "b", Label: p + "b"}}},
				{Name: "other_id", Kind: core.Lookup, Target: other, Label: p},
			}}
			define(t, s, core.CreateTable{Define: base})
			literal := strconv.QuoteToASCII(p)
			n := 0
			column := func(c core.Column) core.Change {
				if n++; c.Name == "" {
					c.Name = fmt.Sprintf("c%d", n)
				}
				return core.AddColumn{To: table, Add: c}
			}
			formula := func(source string, kind core.Kind) core.Change {
				return column(core.Column{Kind: kind, Precision: 20, Scale: 2, Formula: source, Stored: n%2 == 0})
			}
			for what, change := range map[string]core.Change{
				"a column":                column(core.Column{Name: p, Kind: core.Text}),
				"another name":            core.RenameColumns{Of: table, To: map[string]string{"title": p}},
				"another name of a table": core.RenameTables{To: map[string]string{table: p}},
				"a relation":              column(core.Column{Name: "r_id", Kind: core.Lookup, Target: other, Relation: p}),
				"an inverse":              column(core.Column{Name: "i_id", Kind: core.Lookup, Target: other, Inverse: p}),
				"a target":                column(core.Column{Name: "t_id", Kind: core.Lookup, Target: p}),
				"a format":                column(core.Column{Kind: core.Text, Format: core.Format(p)}),
				"a region":                column(core.Column{Kind: core.Text, Format: "phone", Region: p}),
				"a pattern":               column(core.Column{Kind: core.Text, Pattern: regexp.QuoteMeta(p), Message: p}),
				"a default":               column(core.Column{Kind: core.Text, Default: literal}),
				"a default of each":       column(core.Column{Kind: core.Text, Default: "coalesce(title, '') + " + literal}),
				"an option":               column(core.Column{Kind: core.Choice, Options: []core.Option{{Value: p, Label: p, Color: p}}, Default: literal}),
				"options":                 column(core.Column{Kind: core.Choices, Options: []core.Option{{Value: p, Label: p}, {Value: "x"}}}),
				"a status":                column(core.Column{Kind: core.Status, Options: []core.Option{{Value: p, Label: p, State: p, Next: []string{"x"}}, {Value: "x", State: p}}}),
				"a set":                   core.PutOptions{Put: core.OptionSet{Name: "set" + strconv.Itoa(i), Label: p, Doc: p, Options: []core.Option{{Value: p, Label: p}}}},
				"a template":              column(core.Column{Kind: core.Autonumber, Template: p + "{SEQ}"}),
				"a literal":               formula("title + "+literal, core.Text),
				"a comparison":            formula("title == "+literal, core.Boolean),
				"a label":                 formula("label(state) + title", core.Text),
				"a unit":                  formula("startOf(at, "+literal+")", core.Timestamp),
				"a zone":                  formula("startOf(at, 'month', "+literal+")", core.Timestamp),
				"a pattern of dates":      formula("format(at, "+literal+")", core.Text),
				"a pattern in quotes":     formula("format(at, "+strconv.QuoteToASCII("yyyy'"+strings.ReplaceAll(p, "'", "")+"'")+")", core.Text),
				"a pattern of numbers":    formula("format(n, "+literal+")", core.Text),
				"a path":                  formula("textAt(data, "+literal+")", core.Text),
				"a path in brackets":      formula("textAt(data, "+strconv.QuoteToASCII("["+strconv.Quote(p)+"]")+")", core.Text),
				"a path to a number":      formula("numberAt(data, "+strconv.QuoteToASCII("a["+strconv.Quote(p)+"].b")+")", core.Decimal),
				"a filter of children":    core.AddColumn{To: other, Add: core.Column{Name: "children", Kind: core.Integer, Formula: table + ".count(x, x.title == " + literal + ")", Stored: true}},
				"a key":                   core.AddKey{To: table, Add: core.Key{Name: p, Columns: []string{"title"}}},
				"an index":                core.AddIndex{To: table, Add: core.Index{Name: p, Columns: []core.IndexColumn{{Column: "title"}}}},
				"a column of an index":    core.AddIndex{To: table, Add: core.Index{Name: "i", Columns: []core.IndexColumn{{Column: p}}}},
				"a rule":                  core.PutRule{On: table, Put: core.Rule{Name: p, Doc: p, When: "title == " + literal + " && other.title == " + literal, Do: []core.Deed{{Do: "fail", Message: strings.NewReplacer("{", "{{", "}", "}}").Replace(p)}}}},
				"a value of a rule":       core.PutRule{On: table, Put: core.Rule{Name: "value", When: "isNull(title)", Do: []core.Deed{{Do: "set", Column: "title", Value: literal}}}},
				"a duplicate rule":        core.PutDuplicateRule{On: table, Put: core.DuplicateRule{Name: p, Doc: p, Do: "warn", When: "title != " + literal, Columns: []core.DuplicateColumn{{Column: "title", Compare: "words"}}}},
				"a search":                core.PutSearch{On: table, Columns: []core.SearchColumn{{Column: p}}},
			} {
				err := s.Change(root(t), change)
				switch core.KindOf(err) {
				case core.Invalid, core.NotFound:
					refused++
				default:
					if err != nil {
						t.Errorf("%s %q: %v", what, p, err)
					}
					taken++
				}
			}
			exercise(t, s, table, other, p)
			define(t, s, core.DropTable{Name: table}, core.DropTable{Name: other})
		}
		t.Logf("%d taken, %d refused, %d statements", taken, refused, len(ears.texts))
		if taken < 8*len(hostileTexts) {
			t.Error("too few texts are taken to say anything")
		}
		defaults := 0
		for _, text := range ears.texts {
			if !strings.Contains(text, tell) {
				continue
			}
			defaults++
			alters := strings.HasPrefix(text, "ALTER TABLE") && strings.Contains(text, " DEFAULT ")
			if !alters || strings.Contains(spelled.ReplaceAllString(text, ""), tell) {
				t.Errorf("a text became SQL:\n%s", text)
			}
		}
		if defaults == 0 {
			t.Error("the defaults of new columns are not among the statements that were heard")
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, sqlite.Dialect{}, dbtest.SQLitePath(t)) })
	if dbtest.HasPostgres() {
		t.Run("postgres", func(t *testing.T) { run(t, postgres.Dialect{}, dbtest.PostgresDSN(t)) })
	}
}

// exercise writes, reads, filters, sorts, groups and changes a table by every column that it has come to have.
func exercise(t *testing.T, s *Store, table, other, p string) {
	t.Helper()
	to := mustInsert(t, root(t), s, other, core.Record{"title": p})[0]
	if _, err := insert(root(t), s, table, core.Record{"title": p + "x", "state": "a", "other_id": string(to), "data": map[string]any{p: p}}, core.Record{"title": "plain", "state": "b"}); err != nil {
		t.Errorf("%q: %v", p, err)
	}
	_, err := insert(root(t), s, table, core.Record{"title": p, "other_id": string(to)})
	if core.KindOf(err) != core.Failed {
		t.Errorf("%q: the rule does not refuse the record: %v", p, err)
	}
	def, err := s.Snapshot().Schema.Table(table)
	must(t, err)
	for _, c := range def.Columns {
		if c.Kind == core.JSON || c.Kind == core.Choices {
			continue
		}
		for _, q := range []Query{
			{Table: table, Order: []Order{{Column: c.Name}}},
			{Table: table, Form: Aggregate, Fields: []Field{{As: "n", Func: "count", Columns: []string{c.Name}, Distinct: true}}},
		} {
			if _, err := s.Query(root(t), s.Snapshot(), q, nil); err != nil {
				t.Errorf("%q, %s: %v", p, c.Name, err)
			}
		}
		if c.Kind == core.Text || c.Kind == core.Choice {
			if _, err := s.Count(root(t), s.Snapshot(), table, Compare{Column: c.Name, Op: Eq, Value: p}); err != nil && core.KindOf(err) != core.Invalid {
				t.Errorf("%q, %s: %v", p, c.Name, err)
			}
		}
	}
	must(t, s.Tx(root(t), TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Update(ctx, Update{Table: table, Where: Compare{Column: "title", Op: Eq, Value: "plain"}, Set: core.Record{"n": 1, "data": p}})
		return err
	}))
	define(t, s, core.RetypeColumn{Of: table, To: core.Column{Name: "state", Kind: core.Choice, Options: []core.Option{{Value: "a", Label: "A"}, {Value: "b", Label: p}}}})
}
