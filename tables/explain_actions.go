package tables

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
)

func (a access) explainAccess() core.Action {
	output := []core.Column{
		{Name: "allowed", Kind: core.Boolean, Required: true, Doc: "Whether he may; without a record, whether he may for some record at least."},
		required(text("answer", "The answer in a sentence.")),
		text("missing", "The step that was not passed: account, second_factor, key, privilege, record, reach, read or column; null when he may."),
		{Name: "steps", Kind: core.Object, List: true, Required: true, Doc: "What was checked, in the order in which it is checked, up to what is missing.", Fields: []core.Column{
			required(text("step", "What is checked.")), {Name: "ok", Kind: core.Boolean, Required: true, Doc: "Whether it was passed."}, required(text("text", "By what, or why not.")),
		}},
		{Name: "grants", Kind: core.Object, List: true, Required: true, Doc: "The grants that give the privilege, those first that reach the record.", Fields: []core.Column{
			required(text("role", "The role that grants it.")), {Name: "held", Kind: core.Text, List: true, Required: true, Doc: "How he holds the role: himself or through a team, and by which roles that include it."},
			text("level", "How far it reaches; null for a right that is about no table."), {Name: "units", Kind: core.Text, List: true, Required: true, Doc: "The units that the level counts from."},
			text("condition", "The condition that records must meet as well; of one that reads what you do not see, only that there is one."),
			{Name: "hidden", Kind: core.Text, List: true, Required: true, Doc: "The columns that it leaves out, as far as you may know of them."},
			{Name: "reaches", Kind: core.Boolean, Doc: "Whether it reaches the record; null without one, and where that depends on what you do not see."}, text("because", "By what it reaches the record, or why it does not."),
		}},
		{Name: "help", Kind: core.Text, List: true, Required: true, Doc: "What would help: each by itself."},
	}
	return core.Action{
		Name: "explain_access", Input: []core.Column{
			text("user", "The e-mail address or id of somebody else, which is for administrators; yourself when left out."),
			required(text("action", "A privilege, such as read or update; or without a table a right, such as import_data.")),
			text("table", "The table."), {Name: "id", Kind: core.UUID, Doc: "The record; without it the answer is about the table."}, text("column", "A column, of create, read and update."),
		}, Output: output,
		Doc:      "Tells why somebody may do something or not: which grant of which role decides, by what it reaches the record, or which step is missing, and what would help. Of yourself you learn what you may know: a record that you cannot read is answered like one that is not there.",
		Examples: []core.Example{{Doc: "May I read products?", In: core.Record{"action": "read", "table": "product"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			q, err := a.inquire(ctx, c)
			if err == nil && !q.who.Anonymous() { // the account can be used
				err = q.run(ctx)
			}
			if err == nil && q.told {
				err = a.store.logTold(ctx, q.table, q.id)
			}
			if err != nil {
				return nil, core.E("tables.explain_access", err)
			}
			return q.answer(core.CallerFrom(ctx)), nil
		},
	}
}

// inquire reads the question.
func (a access) inquire(ctx context.Context, c core.Call) (*inquiry, error) {
	q := &inquiry{store: a.store, snap: a.store.at(ctx), action: c.Text("action"), priv: authz.Privilege(c.Text("action")), id: core.ID(c.Text("id")), column: c.Text("column")}
	if err := q.about(core.CallerFrom(ctx), c.Text("user")); err != nil {
		return nil, err
	}
	return q, q.what(core.CallerFrom(ctx), c.Text("table"))
}

// about says whom the question is about. Administrators ask about anybody, everybody about himself.
func (q *inquiry) about(asker core.Caller, user string) error {
	const op = "tables.about"
	q.all = q.snap.Policy.Administers(asker) == nil
	if !q.all {
		u := q.snap.Policy.FindUser(user)
		if user != "" && (u == nil || u.ID != asker.User) {
			return core.E(op, core.Denied, core.At{Column: "user"}, "only administrators ask about others: leave user out to ask about yourself")
		}
		q.who, q.name = asker, asker.Name
		return nil
	}
	u := q.snap.Policy.FindUser(cmp.Or(user, string(asker.User)))
	if u == nil {
		return core.E(op, core.NotFound, core.At{Column: "user"}, fmt.Sprintf("there is no user %q: use the e-mail address or the id", user))
	}
	q.name = u.Name
	who, err := q.snap.Policy.Caller(u.ID, asker.Cause)
	if err != nil {
		q.step(stepAccount, false, "the account is disabled")
		q.help = append(q.help, "let him in again (disable_user with disabled: false)")
	}
	q.who = who
	if err == nil && u.ID != asker.User {
		q.factor(u)
	}
	return nil
}

// factor notes that a person has no second factor, without which his sessions are good for nothing but setting one up.
func (q *inquiry) factor(u *authz.User) {
	roles := q.snap.Policy.StrongRoles(q.who)
	if u.SecondFactor || u.Kind == authz.Service || len(roles) == 0 && !q.store.o.SecondFactor {
		return
	}
	who := "everybody is"
	if len(roles) > 0 {
		who = "who holds " + strings.Join(roles, ", ") + " is"
	}
	q.step(stepFactor, false, who+" asked for a second factor, and he has none: signed in, he can only set one up; his keys are not asked")
	q.help = append(q.help, "to set up a second factor on the page /account, or with enroll_totp")
	if len(roles) > 0 && !q.store.o.SecondFactor {
		q.help = append(q.help, "to ask none of the role (require_second_factor)")
	}
}

// what says what the question is about: a privilege on a table, or a right.
func (q *inquiry) what(asker core.Caller, table string) error {
	const op = "tables.what"
	known := slices.Contains(authz.Privileges, q.priv)
	switch {
	case table == "" && (known || q.id != "" || q.column != ""):
		return core.E(op, core.Invalid, core.At{Column: "table"}, "name the table")
	case table == "":
		if !slices.ContainsFunc(authz.Actions, func(a authz.ActionPrivilege) bool { return a.Name == q.action }) {
			return core.E(op, core.Invalid, core.At{Column: "action"}, fmt.Sprintf("%q is no right that is about no table; there are: %s", q.action, rightNames()))
		}
		return nil
	case !known:
		return core.E(op, core.Invalid, core.At{Column: "action"}, fmt.Sprintf("%q is no privilege on a table; there are: %s", q.action, privilegeNames()))
	case q.priv == authz.Create && q.id != "":
		return core.E(op, core.Invalid, core.At{Column: "id"}, "create is about records that are not there yet: leave id out")
	case q.column != "" && !q.priv.Columns():
		return core.E(op, core.Invalid, core.At{Column: "column"}, "only create, read and update are about columns: leave it out")
	}
	q.table = &core.Table{Name: table} // as good as one that is not there
	if !q.all && !q.snap.Policy.Sees(asker, table) {
		return nil
	}
	t, err := q.snap.Schema.Table(table)
	if err != nil {
		return err
	}
	if !slices.Contains(authz.PrivilegesOn(t), q.priv) {
		return core.E(op, core.Invalid, core.At{Table: table}, fmt.Sprintf("there is no %s on this table: its records belong to the organization, or are kept by the system", q.priv))
	}
	q.table = t
	return nil
}

func rightNames() string {
	var names []string
	for _, a := range authz.Actions {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

func privilegeNames() string {
	var names []string
	for _, p := range authz.Privileges {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// answer is what is told.
func (q *inquiry) answer(asker core.Caller) core.Record {
	out := core.Record{"allowed": q.allowed(), "answer": q.sentence(), "missing": nil, "help": core.Texts(q.help)}
	steps := []any{}
	for _, s := range q.steps {
		steps = append(steps, map[string]any{"step": s.name, "ok": s.ok, "text": s.text})
		if !s.ok && out["missing"] == nil {
			out["missing"] = s.name
		}
	}
	grants := []any{}
	slices.SortStableFunc(q.ways, func(a, b *weighed) int { return cmp.Compare(one(b.shows()), one(a.shows())) })
	for _, w := range q.ways {
		grants = append(grants, q.grant(asker, w))
	}
	out["steps"], out["grants"] = steps, grants
	return out
}

// grant is what is told of a grant.
func (q *inquiry) grant(asker core.Caller, w *weighed) map[string]any {
	out := map[string]any{"role": w.Role, "held": q.held(w), "level": nil, "units": []any{}, "condition": nil, "hidden": []any{}, "reaches": nil, "because": nil}
	if q.table == nil {
		return out
	}
	out["level"] = w.Level.String()
	var units, hidden []string
	for _, u := range w.Units {
		units = append(units, q.snap.Policy.UnitName(u))
	}
	for _, name := range w.Hidden {
		if !core.IsDroppedName(name) && (q.all || q.visible(name)) {
			hidden = append(hidden, name)
		}
	}
	out["units"], out["hidden"] = core.Texts(units), core.Texts(hidden)
	switch {
	case w.Grant.Condition == "":
	case q.all || q.snap.Policy.Tells(asker, &w.Way):
		out["condition"] = w.Grant.Condition
	default:
		out["condition"] = "(reads what you do not see)"
	}
	switch {
	case w.judged() && w.told:
		out["reaches"], out["because"] = w.reaches(), w.why
	case w.judged():
		out["because"] = "whether it does depends on what you do not see"
	}
	return out
}
