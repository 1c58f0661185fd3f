package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

// inquiry is a question why somebody may do something or not, and its answer. The answer is put together from what the policy says
// of each grant, and the record is judged by the same expressions that limit every statement.
type inquiry struct {
	store *Store
	snap  *Snapshot
	all   bool        // who asks administers the system and may know everything; otherwise he asks about himself
	who   core.Caller // who is asked about
	name  string      // what he is called

	table  *core.Table // nil for a right that is about no table
	action string
	priv   authz.Privilege
	id     core.ID // "" for no record
	column string

	ways  []*weighed // by which he has the privilege
	reads []*weighed // and by which he reads, where that is asked for too
	steps []step
	help  []string
	why   string // what decides
	told  bool   // of the record

	shares []share   // of the record, for who may know everything
	at     time.Time // when they were read
}

// step is a part of the evaluation, in its order.
type step struct {
	name string
	ok   bool
	text string
}

// The steps.
const (
	stepAccount   = "account"
	stepFactor    = "second_factor"
	stepKey       = "key"
	stepPrivilege = "privilege"
	stepRecord    = "record"
	stepReach     = "reach"
	stepRead      = "read"
	stepColumn    = "column"
)

// weighed is a grant, and whether it reaches the record.
type weighed struct {
	authz.Way
	arms      []*bool // of the way; nil where no record was judged
	condition *bool
	why       string // it reaches the record, or does not
	told      bool   // whether it does may be told
}

func (w *weighed) judged() bool { return w.condition != nil }

// level reports whether the record is within the level of the grant.
func (w *weighed) level() bool {
	return len(w.arms) == 0 || slices.ContainsFunc(w.arms, func(a *bool) bool { return *a })
}

func (w *weighed) reaches() bool { return w.judged() && w.level() && *w.condition }

// shows reports whether the grant reaches the record, and that may be told.
func (w *weighed) shows() bool { return w.told && w.reaches() }

func (q *inquiry) step(name string, ok bool, text string) bool {
	q.steps = append(q.steps, step{name, ok, text})
	return ok
}

// allowed reports whether every step was passed.
func (q *inquiry) allowed() bool {
	return !slices.ContainsFunc(q.steps, func(s step) bool { return !s.ok })
}

// run answers the question.
func (q *inquiry) run(ctx context.Context) error {
	if q.table == nil {
		q.right()
		return nil
	}
	for _, w := range q.snap.Policy.Ways(q.who, q.table.Name, q.priv) {
		q.ways = append(q.ways, &weighed{Way: w})
	}
	may, ok := q.privilege()
	switch {
	case !ok:
		return nil
	case q.id == "":
		q.somewhere()
		return q.columnAnywhere(may)
	}
	return q.record(ctx, may)
}

// right answers for a right that is about no table.
func (q *inquiry) right() {
	for _, w := range q.snap.Policy.RightWays(q.who, q.action) {
		q.ways = append(q.ways, &weighed{Way: w})
	}
	switch err := q.snap.Policy.May(q.who, q.action); {
	case len(q.ways) == 0:
		q.lacks("the right to " + strings.ReplaceAll(q.action, "_", " "))
	case err != nil:
		q.step(stepKey, false, core.AsError(err).Msg)
	default:
		q.step(stepPrivilege, true, "the right is granted by "+grantCount(q.ways))
		q.why = "role " + q.ways[0].Role
	}
}

// lacks notes that no role gives something, and which ones would.
func (q *inquiry) lacks(what string) {
	q.step(stepPrivilege, false, "no role gives "+what)
	if !q.all {
		q.help = append(q.help, "ask an administrator for a role that gives "+what)
		return
	}
	table := ""
	if q.table != nil {
		table = q.table.Name
	}
	roles := q.snap.Policy.Givers(table, q.priv, q.action)
	if len(roles) == 0 {
		q.help = append(q.help, "no role gives "+what+": grant it to one (grant), and assign that (assign_role)")
		return
	}
	q.help = append(q.help, "assign one of the roles that give it (assign_role): "+strings.Join(roles[:min(len(roles), maxNamed)], ", "))
}

// maxNamed is how many roles an answer suggests.
const maxNamed = 10

// privilege answers whether he holds the privilege on the table.
func (q *inquiry) privilege() (*authz.Decision, bool) {
	what := fmt.Sprintf("%s on %s", q.priv, q.table.Name)
	if len(q.ways) == 0 {
		q.lacks(what)
		return nil, false
	}
	may, err := q.snap.Policy.Decide(q.who, q.table.Name, q.priv)
	if err != nil { // of the key that he comes with
		q.step(stepKey, false, core.AsError(err).Msg)
		return nil, false
	}
	return may, q.step(stepPrivilege, true, what+" is granted by "+grantCount(q.ways))
}

func grantCount(ways []*weighed) string { return core.Count(int64(len(ways)), "grant") }

// somewhere tells in which records the privilege holds.
func (q *inquiry) somewhere() {
	if i := slices.IndexFunc(q.ways, func(w *weighed) bool { return len(w.Arms) == 0 && w.Condition == nil }); i >= 0 {
		q.why = q.because(q.ways[i], nil)
		q.step(stepReach, true, "every record is in reach: "+q.why)
		return
	}
	q.why = "name a record to learn whether it is one of them"
	q.step(stepReach, true, "some records are in reach: "+q.why)
}

// record answers for one record.
func (q *inquiry) record(ctx context.Context, may *authz.Decision) error {
	b := &ballot{snap: q.snap, table: q.table}
	n := b.voter(q.who)
	n.may = may
	for _, w := range q.ways {
		w.vote(b, n)
	}
	reached := b.holds(n, may.Rows)
	read, reads, err := q.reading(b, n)
	if err != nil {
		return err
	}
	column, err := q.columnOf(b, n)
	if err != nil {
		return err
	}
	if err := b.count(ctx, q.store, q.id); err != nil {
		return err
	}
	if !b.found || !q.all && !*read {
		q.unseen()
		return nil
	}
	if err := q.readShares(ctx); err != nil {
		return err
	}
	for _, w := range slices.Concat(q.ways, q.reads) {
		if w.told = q.all || q.snap.Policy.Tells(q.who, &w.Way); w.told {
			w.why = q.because(w, b)
		}
	}
	q.told = true
	if !q.reach(stepReach, q.ways, *reached, b) || reads && !q.reach(stepRead, q.reads, *read, b) {
		return nil
	}
	return column.tell(q)
}

// readShares reads with whom the record is shared, where that counts and may be told.
func (q *inquiry) readShares(ctx context.Context) (err error) {
	if !q.all || q.snap.Policy.CheckShared(q.table.Name) != nil {
		return nil
	}
	q.at = time.Now()
	q.shares, err = q.store.shareReader(ctx).of(ctx, q.table, ofRecords([]any{string(q.id)}))
	return err
}

// reading has the ballot decide whether the record may be read, which every privilege on it asks for besides.
func (q *inquiry) reading(b *ballot, n *node) (read *bool, asked bool, err error) {
	if q.priv == authz.Read {
		return b.holds(n, n.may.Rows), false, nil
	}
	for _, w := range q.snap.Policy.Ways(q.who, q.table.Name, authz.Read) {
		q.reads = append(q.reads, &weighed{Way: w})
	}
	may, err := q.snap.Policy.Decide(q.who, q.table.Name, authz.Read)
	if err != nil {
		no := false
		return &no, true, nil
	}
	for _, w := range q.reads {
		w.vote(b, n)
	}
	return b.holds(n, may.Rows), true, nil
}

// vote has the ballot decide whether the grant reaches the record.
func (w *weighed) vote(b *ballot, n *node) {
	for _, a := range w.Arms {
		w.arms = append(w.arms, b.holds(n, a.Rows))
	}
	w.condition = b.holds(n, w.Condition)
}

// unseen is the answer for a record that is not there, and for one that who asks about himself may not read.
func (q *inquiry) unseen() {
	for _, w := range slices.Concat(q.ways, q.reads) {
		w.arms, w.condition = nil, nil
	}
	if q.all {
		q.step(stepRecord, false, fmt.Sprintf("there is no record %s in %s: it was deleted, or never there", q.id, q.table.Name))
		return
	}
	q.step(stepRecord, false, "there is no such record, or it is out of your reach")
	q.help = append(q.help, "if you know that it is there, ask an administrator, or whom it belongs to")
}

// reach tells whether the record is in reach of the grants.
func (q *inquiry) reach(name string, ways []*weighed, ok bool, b *ballot) bool {
	if ok {
		why := "a grant reaches it for a reason that you do not see"
		if i := slices.IndexFunc(ways, (*weighed).shows); i >= 0 {
			why = ways[i].why
		}
		if name == stepReach {
			q.why = why
		}
		return q.step(name, true, why)
	}
	priv := q.priv
	if name == stepRead {
		priv = authz.Read
	}
	if len(ways) == 0 {
		q.step(name, false, fmt.Sprintf("no role gives read on %s, which one needs besides %s", q.table.Name, q.priv))
		return false
	}
	q.step(name, false, fmt.Sprintf("none of the grants of %s reaches the record", priv))
	q.wouldReach(priv, ways, b)
	return false
}

// wouldReach tells what would bring the record into reach.
func (q *inquiry) wouldReach(priv authz.Privilege, ways []*weighed, b *ballot) {
	if !q.all {
		q.help = append(q.help, fmt.Sprintf("ask an administrator, or whom the record belongs to, for %s on it", priv))
		return
	}
	if i := slices.IndexFunc(ways, (*weighed).level); i >= 0 {
		q.help = append(q.help, fmt.Sprintf("the record is within the level of a grant of role %s, whose condition does not hold: a grant without it, or with another one", ways[i].Role))
	}
	if !q.table.Owned() {
		return
	}
	q.help = append(q.help,
		fmt.Sprintf("a grant of %s that reaches the unit %s: the level unit from there, unit_and_below from there or from above, or organization (grant, or assign_role with unit)", priv, q.snap.Policy.UnitName(b.unit)),
		"to own the record, himself or through a team (a change of owner_id)")
	if q.snap.Policy.CheckShared(q.table.Name) == nil && slices.ContainsFunc(ways, func(w *weighed) bool { return w.Level != authz.Organization }) {
		q.help = append(q.help, fmt.Sprintf("to have the record shared with him, with the right %s (share_record)", priv))
	}
	if q.table.Hierarchy && slices.ContainsFunc(ways, func(w *weighed) bool { return w.Level != authz.Organization }) && authz.ThroughHierarchy(priv) {
		q.help = append(q.help, "to be above its owner in the hierarchy (set_manager, set_position, set_hierarchy)")
	}
}

// logTold keeps in the access log that something was told of whom a record belongs to.
func (s *Store) logTold(ctx context.Context, t *core.Table, id core.ID) error {
	if !t.AuditReads || !t.Owned() {
		return nil
	}
	return s.LogAccess(ctx, Access{Kind: AccessRead, Table: t, Records: []string{string(id)}, Data: map[string]any{"columns": []string{"owner_id", "unit_id"}}})
}
