package tables

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// shareActions returns the actions by which people share records.
func (s *Store) shareActions() []core.Action {
	return []core.Action{s.shareRecord(), s.unshareRecord(), s.recordShares(), s.sharedWithMe()}
}

var sharedRecordInput = []core.Column{
	required(text("table", "The table of the record.")),
	required(core.Column{Name: "id", Kind: core.UUID, Doc: "The record."}),
}

var principalInput = []core.Column{
	text("user", "The e-mail address or id of a user; or"),
	text("team", "the name or id of a team; or"),
	{Name: "everyone", Kind: core.Boolean, Doc: "true for everyone."},
}

// exampleRecord names a record in examples.
var exampleRecord = core.Record{"table": "customer", "id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}

func sharedExample(more core.Record) []core.Example {
	in := exampleRecord.Clone()
	for name, v := range more {
		in[name] = v
	}
	return []core.Example{{In: in}}
}

func (s *Store) shareRecord() core.Action {
	return core.Action{
		Name: "share_record",
		Doc: "Shares a record with a user, a team or everyone, in addition to what roles give. It needs share on the record, and each right that is given. " +
			"A share adds records to a privilege that somebody holds by his roles, and never the privilege itself. Who shares a record again with the same replaces what he gave.",
		Input: slices.Concat(sharedRecordInput, principalInput, []core.Column{
			{Name: "rights", Kind: core.Text, List: true, Doc: "read, update, delete, append, append_to, assign, share; read when left out."},
			text("template", "Instead of rights: a share template of the table. A later change of it counts for new shares."),
			{Name: "expires_at", Kind: core.Timestamp, Doc: "When the share ends; never when left out."},
			text("reason", "Why, for those who look at the shares of the record."),
		}),
		Output: []core.Column{
			{Name: "rights", Kind: core.Text, List: true, Required: true, Doc: "What is shared."},
			{Name: "lacking", Kind: core.Text, List: true, Required: true, Doc: "Those of the rights for which nobody with whom the record is shared holds the privilege on the table: they have no effect until a role gives it."},
		},
		Examples: sharedExample(core.Record{"user": "ann@example.com", "rights": []any{"read", "update"}, "reason": "stands in for Bob", "expires_at": "2031-01-31T17:00:00Z"}),
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				out, err = tx.shareRecord(ctx, c)
				return err
			})
			if err != nil {
				return nil, core.E("tables.share_record", err)
			}
			return out, nil
		},
	}
}

func (tx *Tx) shareRecord(ctx context.Context, c core.Call) (core.Record, error) {
	const op = "tables.shareRecord"
	if err := tx.settle(ctx); err != nil {
		return nil, err
	}
	q := tx.shareReader(ctx)
	sh, err := q.sharing(c)
	if err != nil {
		return nil, err
	}
	if err := sh.takeRights(c); err != nil {
		return nil, err
	}
	sh.expires, _ = c.In["expires_at"].(time.Time)
	if given := !sh.expires.IsZero(); given && (!sh.expires.After(tx.now) || !sh.expires.Before(lasting)) {
		return nil, core.E(op, core.Invalid, core.At{Column: "expires_at"}, "the share would end before it begins: choose a time to come")
	}
	sh.reason, sh.cause, sh.by, sh.at = c.Text("reason"), sharedByHand, actorOf(q.caller), tx.now
	if len([]rune(sh.reason)) > maxReason {
		return nil, core.E(op, core.Invalid, core.At{Column: "reason"}, "a reason has at most 1,000 characters")
	}
	if err := q.mayGive(ctx, &sh); err != nil {
		return nil, err
	}
	if sh.principal, err = tx.principal(c); err != nil { // who there is, is told to who may share
		return nil, err
	}
	if sh.principal == q.caller.User {
		return nil, core.E(op, core.Invalid, core.At{Column: "user"}, "a record is shared with others")
	}
	lacking, err := tx.snap.Policy.Lacking(sh.table.Name, sh.principal, sh.rights)
	if err != nil {
		return nil, err
	}
	if kind, _ := q.snap.Policy.PrincipalName(sh.principal); kind == "user" && len(lacking) == len(sh.rights.Names()) {
		return nil, core.E(op, core.Invalid, core.At{Table: sh.table.Name}, "the user holds none of these privileges on the table by his roles, so that the share would have no effect: choose another one, or ask an administrator for a role")
	}
	sh.identify()
	without := make([]string, len(lacking))
	for i, right := range lacking {
		without[i] = string(right)
	}
	return core.Record{"rights": core.Texts(sh.rights.Names()), "lacking": core.Texts(without)}, tx.putShares(ctx, []share{sh})
}

// takeRights reads the rights that an action names, or those of the template.
func (s *share) takeRights(c core.Call) (err error) {
	const op = "tables.takeRights"
	names, given := c.In["rights"].([]any)
	s.template = c.Text("template")
	switch {
	case given && s.template != "":
		return core.E(op, core.Invalid, core.At{Column: "template"}, "name either rights or a template")
	case s.template != "":
		s.rights, err = s.table.ShareTemplate(s.template)
		return err
	case !given:
		s.rights = core.ShareRight(core.Read)
		return nil
	}
	if s.rights, err = core.ParseShareRights(textsOf(names)); err == nil && s.rights == 0 {
		err = core.E(op, core.Invalid, core.At{Column: "rights"}, "name at least one right")
	}
	return err
}

// maxReason is how long the reason of a share or of an unmasking may be, in characters.
const maxReason = 1000

// sharing returns a share of the record that an action names. The caller may share records of the table at all.
func (q shareReader) sharing(c core.Call) (sh share, err error) {
	sh.table, _, err = q.snap.decide(q.caller, c.Text("table"), core.Share)
	sh.record = core.ID(c.Text("id"))
	return sh, err
}

// principal returns with whom a record is shared.
func (tx *Tx) principal(c core.Call) (core.ID, error) {
	user, team, everyone := c.Text("user"), c.Text("team"), c.Bool("everyone")
	switch {
	case user != "" && team == "" && !everyone:
		return tx.user(user)
	case user == "" && team != "" && !everyone:
		return tx.team(team)
	case user == "" && team == "" && everyone:
		return core.Everyone, nil
	}
	return "", core.E("tables.principal", core.Invalid, "name either a user, a team, or everyone")
}

func textsOf(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i], _ = v.(string)
	}
	return out
}

func (s *Store) unshareRecord() core.Action {
	return core.Action{
		Name: "unshare_record", Doc: "Ends what a record is shared with a user, a team or everyone, whoever has shared it. It needs share on the record; what is shared with oneself, one can always end.",
		Input:    slices.Concat(sharedRecordInput, principalInput),
		Output:   []core.Column{{Name: "ended", Kind: core.Integer, Required: true, Doc: "How many shares there were."}},
		Examples: sharedExample(core.Record{"user": "ann@example.com"}),
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				gone, err := tx.unshareRecord(ctx, c)
				out = core.Record{"ended": int64(len(gone))}
				return err
			})
			if err != nil {
				return nil, core.E("tables.unshare_record", err)
			}
			return out, nil
		},
	}
}

func (tx *Tx) unshareRecord(ctx context.Context, c core.Call) ([]share, error) {
	if err := tx.settle(ctx); err != nil {
		return nil, err
	}
	q := tx.shareReader(ctx)
	record := ofRecords([]any{c.Text("id")})
	if who := c.Text("user"); q.isCaller(who) && c.Text("team") == "" && !c.Bool("everyone") {
		t, _, err := q.snap.decide(q.caller, c.Text("table"), core.Read)
		if err != nil {
			return nil, err
		}
		return tx.dropShares(ctx, t, with(q.caller.User, record))
	}
	sh, err := q.sharing(c)
	if err != nil {
		return nil, err
	}
	if err := q.mayShare(ctx, sh.table, sh.record); err != nil {
		return nil, err
	}
	who, err := tx.principal(c)
	if err != nil {
		return nil, err
	}
	return tx.dropShares(ctx, sh.table, with(who, record))
}

// isCaller reports whether the e-mail address or id is that of the caller.
func (q shareReader) isCaller(name string) bool {
	return slices.ContainsFunc(q.snap.access.Users, func(u authz.User) bool {
		return u.ID == q.caller.User && (string(u.ID) == name || strings.EqualFold(u.Email, strings.TrimSpace(name)))
	})
}

var principalOutput = []core.Column{
	{Name: "with", Kind: core.UUID, Required: true, Doc: "The user or team; of everyone " + string(core.Everyone) + "."},
	required(text("with_kind", "user, team or everyone.")), required(text("with_name", "What it is called.")),
}

var shareOutput = []core.Column{
	{Name: "rights", Kind: core.Text, List: true, Required: true, Doc: "What is shared."},
	{Name: "expires_at", Kind: core.Timestamp, Doc: "When the share ends."},
	text("reason", "Why."), text("template", "The share template that the rights were taken from."),
	required(text("cause", "share: somebody gave it; merge: a record that was merged into this one had it; keep: the record was theirs before.")),
	{Name: "granted_by", Kind: core.UUID, Required: true, Doc: "Who gave it."},
	{Name: "granted_at", Kind: core.Timestamp, Required: true, Doc: "When."},
}

// shown is the share as actions give it.
func (s *share) shown(snap *Snapshot) map[string]any {
	kind, name := snap.Policy.PrincipalName(s.principal)
	out := map[string]any{
		"with": string(s.principal), "with_kind": kind, "with_name": name, "rights": core.Texts(s.rights.Names()), "expires_at": nil, "reason": orNull(s.reason), "template": orNull(s.template),
		"cause": string(s.cause), "granted_by": string(s.by), "granted_at": s.at,
	}
	if !s.expires.IsZero() {
		out["expires_at"] = s.expires
	}
	return out
}

func (s *Store) recordShares() core.Action {
	return core.Action{
		Name: "record_shares", Doc: "Lists with whom a record is shared, by itself. It needs share on the record.",
		Input: sharedRecordInput,
		Output: []core.Column{{Name: "shares", Kind: core.Object, List: true, Required: true, Doc: "The shares, the oldest first; those that have ended too.", Fields: slices.Concat(principalOutput, shareOutput, []core.Column{
			{Name: "ended", Kind: core.Boolean, Required: true, Doc: "Whether it has expired."},
		})}},
		Examples: sharedExample(nil),
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			shown, err := s.readShares(ctx, c)
			if err != nil {
				return nil, core.E("tables.record_shares", err)
			}
			return core.Record{"shares": shown}, nil
		},
	}
}

func (s *Store) readShares(ctx context.Context, c core.Call) ([]any, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	q := s.shareReader(ctx)
	sh, err := q.sharing(c)
	if err != nil {
		return nil, err
	}
	if err := q.mayShare(ctx, sh.table, sh.record); err != nil {
		return nil, err
	}
	list, err := q.of(ctx, sh.table, ofRecords([]any{string(sh.record)}))
	out, now := make([]any, len(list)), time.Now()
	for i := range list {
		one := list[i].shown(q.snap)
		one["ended"] = !list[i].expires.IsZero() && !list[i].expires.After(now)
		out[i] = one
	}
	return out, err
}

func (s *Store) sharedWithMe() core.Action {
	return core.Action{
		Name: "shared_with_me", Doc: "Lists the records that are shared with the caller or his teams and that he may read, the last shared first. What is shared with everyone is not in it.",
		Input: []core.Column{
			text("table", "Only of this table."),
			{Name: "limit", Kind: core.Integer, Doc: "How many at most, 1 to 1000; 100 when left out."},
			{Name: "offset", Kind: core.Integer, Doc: "How many to pass over."},
		},
		Output: []core.Column{{Name: "shares", Kind: core.Object, List: true, Required: true, Doc: "The shares.", Fields: slices.Concat(
			[]core.Column{required(text("table", "The table.")), {Name: "id", Kind: core.UUID, Required: true, Doc: "The record."}}, principalOutput, shareOutput)}},
		Examples: []core.Example{{In: core.Record{"table": "customer"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.readShared(ctx, c)
			if err != nil {
				return nil, core.E("tables.shared_with_me", err)
			}
			return core.Record{"shares": out}, nil
		},
	}
}

func (s *Store) readShared(ctx context.Context, c core.Call) ([]any, error) {
	const op = "tables.readShared"
	limit, offset := c.Int("limit", DefaultLimit), c.Int("offset", 0)
	if limit < 1 || limit > MaxLimit || offset < 0 {
		return nil, core.E(op, core.Limit, core.At{Column: "limit"}, "limit is 1 to 1000, and offset not negative")
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	q := s.shareReader(ctx)
	tables, err := q.tables(ctx, c.Text("table"))
	if err != nil {
		return nil, err
	}
	var found []share
	for _, t := range tables {
		some, err := q.withCaller(ctx, t, limit+offset)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b share) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.record, a.record), cmp.Compare(b.id, a.id))
	})
	found = found[min(offset, int64(len(found))):]
	found = found[:min(limit, int64(len(found)))]
	records := map[*core.Table][]string{}
	out := make([]any, len(found))
	for i := range found {
		sh := &found[i]
		one := sh.shown(q.snap)
		one["table"], one["id"] = sh.table.Name, string(sh.record)
		records[sh.table] = append(records[sh.table], string(sh.record))
		out[i] = one
	}
	p := &planner{snap: q.snap, caller: q.caller}
	for _, t := range tables {
		if err := s.logShown(ctx, p.watch(t), AccessRead, records[t]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tables returns the tables that the caller reads and of which records are shared with him; with a name only that one.
func (q shareReader) tables(ctx context.Context, name string) (out []*core.Table, err error) {
	if name != "" {
		t, _, err := q.snap.decide(q.caller, name, core.Read)
		return []*core.Table{t}, err
	}
	b := db.New(q.Dialect).Write(`SELECT DISTINCT table_name FROM "_share" WHERE `)
	sharedWith(b, q.caller)
	err = q.conn.Query(ctx, b, func(scan func(...any) error) error {
		var stored string
		if err := scan(&stored); err != nil {
			return err
		}
		if t, ok := q.snap.Schema.Stored(stored); ok {
			if _, _, err := q.snap.decide(q.caller, t.Name, core.Read); err == nil {
				out = append(out, t)
			}
		}
		return nil
	})
	return out, err
}

// sharedWith writes that a share is with the caller or one of his teams.
func sharedWith(b *db.Builder, c core.Caller) {
	who := []any{string(actorOf(c))}
	for _, team := range c.Teams {
		who = append(who, string(team))
	}
	b.Dialect().AnyOf(b, &core.Column{Kind: core.UUID}, func() { b.Write("principal_id") }, who)
}

// withCaller returns the last shares with the caller that are in force, of records that he may read.
func (q shareReader) withCaller(ctx context.Context, t *core.Table, limit int64) ([]share, error) {
	r, err := (&planner{snap: q.snap, caller: q.caller}).reach(t.Name, core.Read, nil)
	if err != nil {
		return nil, err
	}
	r.any = true
	found, err := q.of(ctx, t, func(b *db.Builder) {
		sharedWith(b, q.caller)
		b.Write(" AND (expires_at IS NULL OR expires_at > ")
		rules.InForceAt(b, r.row(false))
		b.Write(") AND record_id IN (SELECT ").Name(r.alias, "id")
		r.from(b)
		b.Write(")")
	})
	slices.Reverse(found)
	return found[:min(int64(len(found)), limit)], err
}
