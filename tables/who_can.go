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

// How many users an answer of who_can names, when nothing else is said and at most.
const (
	whoCanLimit = 100
	whoCanMost  = 500
)

func (a access) whoCan() core.Action {
	return core.Action{
		Name: "who_can", Input: []core.Column{
			required(text("action", "The privilege, such as read or update.")), required(text("table", "The table.")),
			required(core.Column{Name: "id", Kind: core.UUID, Doc: "The record."}),
			{Name: "limit", Kind: core.Integer, Doc: fmt.Sprintf("How many users at most: 1 to %d; %d when left out.", whoCanMost, whoCanLimit)},
			text("after", "Where the answer goes on: next of the one before."),
		}, Output: []core.Column{
			{Name: "users", Kind: core.Object, List: true, Required: true, Doc: "Who can, by name. Who is disabled cannot.", Fields: []core.Column{
				{Name: "user", Kind: core.UUID, Required: true, Doc: "The user."}, required(text("name", "What he is called.")),
				required(text("by", "By what the record is in his reach: owner, report (he is above its owner), unit, share or organization.")),
				text("role", "The role that decides; null for who does not administer the system."), text("because", "Why, in a sentence; null for who does not administer the system."),
			}},
			text("next", "What to give as after to go on; null when there are no more."),
		},
		Doc:      "Tells who can do something with a record, and why. For administrators, and for who may share the record.",
		Examples: []core.Example{{In: core.Record{"action": "read", "table": "product", "id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a02"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := a.answerWhoCan(ctx, c)
			if err != nil {
				return nil, core.E("tables.who_can", err)
			}
			return out, nil
		},
	}
}

func (a access) answerWhoCan(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "tables.answerWhoCan"
	limit := int64(whoCanLimit)
	if n, ok := c.In["limit"].(int64); ok {
		limit = n
	}
	if limit < 1 || limit > whoCanMost {
		return nil, core.E(op, core.Invalid, core.At{Column: "limit"}, fmt.Sprintf("the limit is a number from 1 to %d", whoCanMost))
	}
	s, err := a.searchWhoCan(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.after(c.Text("after")); err != nil {
		return nil, err
	}
	found, next, err := s.run(ctx, int(limit))
	if err == nil {
		err = a.store.logTold(ctx, s.table, s.id)
	}
	if err != nil {
		return nil, err
	}
	users := make([]any, len(found))
	for i, q := range found {
		users[i] = q.able()
	}
	return core.Record{"users": users, "next": orNull(next)}, nil
}

// whoCan is a search for who can do something with a record.
type whoCan struct {
	store *Store
	snap  *Snapshot
	all   bool // who asks administers the system
	table *core.Table
	priv  authz.Privilege
	id    core.ID
	users []*authz.User // that were not looked at yet
}

// searchWhoCan reads the question, and refuses it to who may not ask. Of a record that he cannot read he learns nothing.
func (a access) searchWhoCan(ctx context.Context, c core.Call) (*whoCan, error) {
	const op = "tables.searchWhoCan"
	s := &whoCan{store: a.store, snap: a.store.at(ctx), priv: authz.Privilege(c.Text("action")), id: core.ID(c.Text("id"))}
	asker := core.CallerFrom(ctx)
	s.all = s.snap.Policy.Administers(asker) == nil
	if !slices.Contains(authz.Privileges, s.priv) || s.priv == authz.Create {
		return nil, core.E(op, core.Invalid, core.At{Column: "action"}, fmt.Sprintf("%q is no privilege on a record; there are: %s", s.priv, strings.ReplaceAll(privilegeNames(), "create, ", "")))
	}
	t, _, err := s.snap.decide(asker, c.Text("table"), core.Read)
	if err != nil {
		return nil, err
	}
	if s.table = t; !slices.Contains(authz.PrivilegesOn(t), s.priv) {
		return nil, core.E(op, core.Invalid, core.At{Table: t.Name}, fmt.Sprintf("there is no %s on this table: its records belong to the organization, or are kept by the system", s.priv))
	}
	if err := s.maySearch(ctx, asker); err != nil {
		return nil, err
	}
	for i := range s.snap.access.Users {
		if u := &s.snap.access.Users[i]; !u.Disabled {
			s.users = append(s.users, u)
		}
	}
	slices.SortFunc(s.users, byName)
	return s, nil
}

func byName(a, b *authz.User) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
}

// maySearch returns an error when the caller may not learn who can do something with the record.
func (s *whoCan) maySearch(ctx context.Context, asker core.Caller) error {
	const op = "tables.maySearch"
	b := &ballot{snap: s.snap, table: s.table}
	n := b.voter(asker)
	read, share := s.reach(b, n, asker, authz.Read), s.reach(b, n, asker, authz.Share)
	if err := b.count(ctx, s.store, s.id); err != nil {
		return err
	}
	switch {
	case !b.found || !*read:
		return core.E(op, core.NotFound, core.At{Table: s.table.Name, Column: "id"}, "there is no such record, or it is out of your reach")
	case !s.all && !*share:
		return core.E(op, core.Denied, core.At{Table: s.table.Name}, "who can do what with a record is told to administrators, and to who may share it: ask one of them")
	case !s.all && !s.snap.Policy.Surveys(asker, s.table.Name, s.priv, authz.Read):
		return core.E(op, core.Denied, core.At{Table: s.table.Name}, "who can do what with it depends on what you do not see of the record: ask an administrator")
	}
	return nil
}

// reach has the ballot decide whether the privilege of the caller reaches the record.
func (s *whoCan) reach(b *ballot, n *node, c core.Caller, priv authz.Privilege) *bool {
	may, err := s.snap.Policy.Decide(c, s.table.Name, priv)
	if err != nil {
		return new(bool)
	}
	return b.holds(n, may.Rows)
}

// after leaves out the users up to the one of that id, with whom the answer before ended.
func (s *whoCan) after(id string) error {
	if id == "" {
		return nil
	}
	u := s.snap.Policy.FindUser(id)
	if u == nil || string(u.ID) != id {
		return core.E("tables.after", core.Invalid, core.At{Column: "after"}, "this is no next of another answer")
	}
	s.users = slices.DeleteFunc(s.users, func(o *authz.User) bool { return byName(o, u) <= 0 })
	return nil
}

// run returns why the first users can who can, and where to go on; "" when these are all.
func (s *whoCan) run(ctx context.Context, limit int) (out []*inquiry, next string, err error) {
	for part := range slices.Chunk(s.users, maxAnswers) {
		able, err := s.able(ctx, part)
		if err != nil {
			return nil, "", err
		}
		for _, u := range able {
			if len(out) == limit {
				return out, string(out[limit-1].who.User), nil
			}
			q, err := s.why(ctx, u)
			if err != nil {
				return nil, "", err
			}
			out = append(out, q)
		}
	}
	return out, "", nil
}

// able returns those of the users who can.
func (s *whoCan) able(ctx context.Context, users []*authz.User) (out []*authz.User, err error) {
	b := &ballot{snap: s.snap, table: s.table}
	can := make([][2]*bool, len(users))
	for i, u := range users {
		c, err := s.snap.Policy.Caller(u.ID, core.CallerFrom(ctx).Cause)
		if err != nil {
			return nil, err
		}
		n := b.voter(c)
		can[i] = [2]*bool{s.reach(b, n, c, s.priv), s.reach(b, n, c, authz.Read)}
	}
	if err := b.count(ctx, s.store, s.id); err != nil {
		return nil, err
	}
	for i, u := range users {
		if *can[i][0] && *can[i][1] {
			out = append(out, u)
		}
	}
	return out, nil
}

// why asks for the reason of one who can.
func (s *whoCan) why(ctx context.Context, u *authz.User) (*inquiry, error) {
	who, err := s.snap.Policy.Caller(u.ID, core.CallerFrom(ctx).Cause)
	if err != nil {
		return nil, err
	}
	q := &inquiry{store: s.store, snap: s.snap, all: s.all, who: who, name: u.Name, table: s.table, priv: s.priv, id: s.id}
	return q, q.run(ctx)
}

// able is what is told of who can. Who only shares the record learns by what, and nothing of roles.
func (q *inquiry) able() map[string]any {
	out := map[string]any{"user": string(q.who.User), "name": q.name, "by": q.by(), "role": nil, "because": nil}
	if i := slices.IndexFunc(q.ways, (*weighed).shows); i >= 0 && q.all {
		out["role"], out["because"] = q.ways[i].Role, q.ways[i].why
	}
	return out
}

// by is the kind of arm by which the record is in reach.
func (q *inquiry) by() string {
	if i := slices.IndexFunc(q.ways, (*weighed).reaches); i >= 0 {
		w := q.ways[i]
		for i, a := range w.Arms {
			if *w.arms[i] {
				return string(a.Kind)
			}
		}
	}
	return authz.Organization.String()
}
