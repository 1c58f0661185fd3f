package tables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// maxPreviewed is how many times a preview counts records.
const maxPreviewed = 2000

// previewAccess returns the action that tells what changes of rights would change, and changes nothing.
func (a access) previewAccess(actions []core.Action) core.Action {
	names := make([]string, len(actions))
	for i := range actions {
		names[i] = actions[i].Name
	}
	input := []core.Column{{Name: "changes", Kind: core.Object, List: true, Required: true, Doc: "What would be done, one after the other.", Fields: []core.Column{
		required(text("action", "The action, such as put_role, grant, assign_role, move_unit.")),
		{Name: "input", Kind: core.JSON, Doc: "Its arguments."},
	}}}
	count := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Integer, Required: true, Doc: doc}
	}
	records := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Integer, Doc: doc + " Null where you do not read the whole table yourself."}
	}
	columns := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Text, List: true, Required: true, Doc: doc}
	}
	output := []core.Column{
		{Name: "tables", Kind: core.Object, List: true, Required: true, Doc: "What changes for anybody, by table and privilege.", Fields: []core.Column{
			text("table", "The table."), text("privilege", "The privilege."),
			count("users_losing", "Users for whom it reaches fewer records or columns than before."), count("users_gaining", "Users for whom it reaches more."),
			records("most_lost", "The most records that one of them loses."), records("most_gained", "The most records that one of them gains."),
		}},
		{Name: "users", Kind: core.Object, List: true, Required: true, Doc: "What changes for whom; the first thousand.", Fields: []core.Column{
			{Name: "user", Kind: core.UUID, Required: true, Doc: "The user."}, text("name", "What the user is called."), text("table", "The table."), text("privilege", "The privilege."),
			records("lost", "Records that it no longer reaches."), records("gained", "Records that it reaches in addition; of create, 1 where it is new."),
			columns("columns_lost", "Columns that it no longer reaches in some record."), columns("columns_gained", "Columns that it reaches in more records."),
		}},
		text("summary", "The most important of it in a sentence."),
		{Name: "complete", Kind: core.Boolean, Required: true, Doc: "False when there was too much to count: the rest is not told."},
	}
	example := core.Record{"changes": []any{map[string]any{"action": "revoke", "input": map[string]any{"role": "support", "table": "product", "privileges": []any{"read"}}}}}
	return core.Action{
		Name: "preview_access", Privilege: "manage_access", Define: true, Input: input, Output: output, Examples: []core.Example{{In: example}},
		Doc: "Tells what changes of rights, users, teams or units would change: who would see and do what more or less. Nothing is changed.",
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			list, _ := c.In["changes"].([]any)
			var out core.Record
			err := a.store.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				from := tx.snap
				if err := from.Policy.May(core.CallerFrom(ctx), "manage_access"); err != nil {
					return err
				}
				return tx.DryRun(ctx, func() error {
					for i, change := range list {
						if err := runAccess(ctx, actions, change); err != nil {
							return core.E("tables.preview_access", core.At{Item: i + 1}, err)
						}
					}
					p := preview{tx: tx, caller: core.CallerFrom(ctx), from: from, to: tx.snap}
					if err := p.run(ctx); err != nil {
						return err
					}
					out = p.record()
					return nil
				})
			})
			if err != nil {
				return nil, core.E("tables.preview_access", err)
			}
			return out, nil
		},
	}
}

// runAccess runs one of the actions with arguments in JSON.
func runAccess(ctx context.Context, actions []core.Action, change any) error {
	of, _ := change.(map[string]any)
	name, _ := of["action"].(string)
	i := slices.IndexFunc(actions, func(a core.Action) bool { return a.Name == name })
	if i < 0 {
		var names []string
		for _, a := range actions {
			names = append(names, a.Name)
		}
		msg := fmt.Sprintf("%q changes no rights", name)
		if near := core.Suggest(name, names); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return core.E("tables.runAccess", core.Invalid, core.At{Column: "action"}, msg)
	}
	in := map[string]any{}
	if raw, ok := of["input"].(json.RawMessage); ok {
		if err := json.Unmarshal(raw, &in); err != nil {
			return core.E("tables.runAccess", core.Invalid, core.At{Column: "input"}, "the arguments are an object", err)
		}
	}
	args, err := core.ParseInput(actions[i].Input, in)
	if err != nil {
		return err
	}
	_, err = actions[i].Run(ctx, core.Call{In: args})
	return err
}

// preview compares what everybody may do in two snapshots of one schema.
type preview struct {
	tx       *Tx
	caller   core.Caller
	from, to *Snapshot
	changes  []previewed
	counted  map[string][2]int64
	left     int // so many more times it counts
}

// previewed is what changes for a user.
type previewed struct {
	user          *authz.User
	table         string
	privilege     authz.Privilege
	lost, gained  int64
	hidden, shown []string // columns
}

var errTooMuch = errors.New("too much to count")

func (p *preview) run(ctx context.Context) error {
	p.counted, p.left = map[string][2]int64{}, maxPreviewed
	for i := range p.to.access.Users {
		u := &p.to.access.Users[i]
		was, before := p.from.Policy.Caller(u.ID, core.Cause{Kind: "api"})
		is, after := p.to.Policy.Caller(u.ID, core.Cause{Kind: "api"})
		if before != nil && after != nil {
			continue
		}
		for _, t := range p.to.Schema.Tables() {
			for _, priv := range authz.Privileges {
				if t.Builtin && priv != authz.Read {
					continue
				}
				var old, now *authz.Decision
				if before == nil {
					old, _ = p.from.Policy.Decide(was, t.Name, priv)
				}
				if after == nil {
					now, _ = p.to.Policy.Decide(is, t.Name, priv)
				}
				c, err := p.compare(ctx, t, priv, side{was, old}, side{is, now})
				if errors.Is(err, errTooMuch) {
					return nil
				}
				if err != nil {
					return err
				}
				if c.lost+c.gained > 0 || len(c.hidden)+len(c.shown) > 0 {
					c.user, c.table, c.privilege = u, t.Name, priv
					p.changes = append(p.changes, c)
				}
			}
		}
	}
	return nil
}

// side is what a caller may in one of the snapshots; the decision is nil for nothing.
type side struct {
	caller core.Caller
	may    *authz.Decision
}

// rows returns the condition on rows and what stands for it; a condition without records is "".
func (s side) rows() (e *rules.Expr, key string) {
	if s.may == nil {
		return nil, "none"
	}
	if s.may.Rows == nil {
		return nil, "all"
	}
	key = s.may.Rows.Source
	if s.may.Rows.Outside { // it depends on who asks
		key += string(appendAsker([]byte{0}, s.caller))
	}
	return s.may.Rows, key
}

func (p *preview) compare(ctx context.Context, t *core.Table, priv authz.Privilege, was, is side) (out previewed, err error) {
	if was.may == nil && is.may == nil || was.may == is.may && was.caller.Alike(is.caller) {
		return out, nil
	}
	out.hidden, out.shown = columnsThatDiffer(t, was.may, is.may)
	_, before := was.rows()
	_, after := is.rows()
	switch {
	case before == after:
		return out, nil
	case priv == authz.Create:
		out.lost, out.gained = one(is.may == nil), one(was.may == nil)
		return out, nil
	}
	key := t.Name + "\x00" + before + "\x00" + after
	n, ok := p.counted[key]
	if !ok {
		if p.left--; p.left < 0 {
			return out, errTooMuch
		}
		if n, err = p.count(ctx, t, was, is); err != nil {
			return out, err
		}
		p.counted[key] = n
	}
	out.lost, out.gained = n[0], n[1]
	return out, nil
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// columnsThatDiffer returns the columns that are in reach of one only, in some records at least.
func columnsThatDiffer(t *core.Table, was, is *authz.Decision) (lost, gained []string) {
	if was == nil || is == nil {
		return nil, nil // the records tell
	}
	for i := range t.Columns {
		name := t.Columns[i].Name
		before, guardBefore := shownOf(was, name)
		after, guardAfter := shownOf(is, name)
		if before == after && guardBefore == guardAfter {
			continue
		}
		if before > after || before == after && guardAfter != nil {
			lost = append(lost, name)
		}
		if after > before || before == after && guardBefore != nil {
			gained = append(gained, name)
		}
	}
	return lost, gained
}

// shownOf returns how much of the column is in reach, and where.
func shownOf(d *authz.Decision, column string) (authz.Reading, *rules.Expr) {
	if visible, guard := d.Column(column); visible {
		return authz.ReadFull, guard
	}
	if mask, guard := d.Mask(column); mask != nil {
		return authz.ReadMasked, guard
	}
	return authz.ReadNone, nil
}

// count counts the records that only one side reaches.
func (p *preview) count(ctx context.Context, t *core.Table, was, is side) (n [2]int64, err error) {
	of := func(snap *Snapshot, s side) writeFunc {
		n := &node{p: &planner{snap: snap, caller: s.caller}, table: t, alias: "t0", may: s.may}
		return func(b *db.Builder) {
			switch e, _ := s.rows(); {
			case s.may == nil:
				b.Write("FALSE")
			case e == nil:
				b.Write("TRUE")
			default:
				b.Write("coalesce(")
				n.expr(b, e)
				b.Write(", FALSE)")
			}
		}
	}
	before, after := of(p.from, was), of(p.to, is)
	b := db.New(p.tx.db.Dialect).Write("SELECT count(CASE WHEN ")
	before(b)
	b.Write(" AND NOT ")
	after(b)
	b.Write(" THEN 1 END), count(CASE WHEN ")
	after(b)
	b.Write(" AND NOT ")
	before(b)
	b.Write(" THEN 1 END) FROM ").Name(t.SQL()).Write(" AS t0")
	err = p.tx.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&n[0], &n[1]) })
	return n, err
}

// maxPreviewedUsers is how many changes a preview names.
const maxPreviewedUsers = 1000

// record is what is told. Tables that the caller may not know of are left out.
func (p *preview) record() core.Record {
	type of struct {
		table     string
		privilege authz.Privilege
	}
	type sum struct{ losing, gaining, mostLost, mostGained int64 }
	var order []of
	sums := map[of]*sum{}
	users := []any{}
	for _, c := range p.changes {
		if !p.from.Policy.Sees(p.caller, c.table) {
			continue
		}
		k := of{c.table, c.privilege}
		s := sums[k]
		if s == nil {
			s = &sum{}
			sums[k] = s
			order = append(order, k)
		}
		s.losing += one(c.lost > 0 || len(c.hidden) > 0)
		s.gaining += one(c.gained > 0 || len(c.shown) > 0)
		s.mostLost, s.mostGained = max(s.mostLost, c.lost), max(s.mostGained, c.gained)
		if len(users) < maxPreviewedUsers {
			users = append(users, map[string]any{
				"user": string(c.user.ID), "name": c.user.Name, "table": c.table, "privilege": string(c.privilege),
				"lost": p.told(c.table, c.lost), "gained": p.told(c.table, c.gained), "columns_lost": core.Texts(c.hidden), "columns_gained": core.Texts(c.shown),
			})
		}
	}
	list := []any{}
	summary := ""
	var worst int64
	for _, k := range order {
		s := sums[k]
		list = append(list, map[string]any{
			"table": k.table, "privilege": string(k.privilege), "users_losing": s.losing, "users_gaining": s.gaining, "most_lost": p.told(k.table, s.mostLost), "most_gained": p.told(k.table, s.mostGained),
		})
		if k.privilege == authz.Read && s.losing > 0 && s.mostLost >= worst {
			worst = s.mostLost
			what := "some records"
			if p.told(k.table, s.mostLost) != nil {
				what = "up to " + core.Count(s.mostLost, "record")
			}
			summary = fmt.Sprintf("%s would no longer read %s of %s, or some of its columns", core.Count(s.losing, "user"), what, k.table)
		}
	}
	switch {
	case len(order) == 0:
		summary = "nobody would see or do more or less"
	case summary == "":
		summary = "nobody would read less"
	}
	return core.Record{"tables": list, "users": users, "summary": summary, "complete": p.left >= 0}
}

// told is a count of records of a table, which tells only those something who may count them themselves.
func (p *preview) told(table string, n int64) any {
	if may, err := p.from.Policy.Decide(p.caller, table, authz.Read); err != nil || may.Rows != nil {
		return nil
	}
	return n
}
