package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// approval is what an approval step asks for, beside its values: title, details and by.
type approval struct {
	role       string
	quorum     int // how many must approve; 0 for all
	notStarter bool
}

// The limits of a request.
const (
	maxAssignees = 100
	maxTitle     = 500      // characters
	maxComment   = 4000     // characters
	maxDetails   = 64 << 10 // bytes
)

// approving is how the source of a wait for an approval begins; the id of the request follows.
const approving = "approval "

// The states of requests, and what people answer.
const (
	isOpen   = "open"
	approved = "approved"
	rejected = "rejected"
	timedOut = "timed_out"
)

// approval asks people, in the transaction in which the run begins to wait for them.
func (in *interpreter) approval(ctx context.Context, st *step, m *mark) error {
	switch m.status {
	case succeeded:
		return in.remember(ctx, st, m)
	case waiting:
		return in.approvalEnded(ctx, st, m)
	}
	m.attempt, m.started = 1, in.s.now()
	snap := in.s.store.Snapshot()
	caller, err := in.caller(snap)
	var q *request
	if err == nil {
		q, err = in.request(snap, caller, st)
	}
	if err != nil {
		return in.stop(ctx, st, m, err)
	}
	return in.begins(ctx, caller, st, m, func(ctx context.Context, tx *tables.Tx) (*expected, any, error) {
		people, err := in.s.assignees(ctx, tx, in.r, st.asks, q)
		if err == nil {
			err = in.s.writeRequest(ctx, tx, in.r, m, q, people)
		}
		if err != nil {
			return nil, nil, err
		}
		return &expected{source: approving + string(q.id), due: q.due}, q.shown(people), nil
	})
}

// request is what people are asked.
type request struct {
	id      core.ID
	title   string
	details any
	by      []string
	due     int64 // microseconds

	// Once it is known who is asked:
	quorum  int
	starter core.ID // who has started the run
}

// shown is the request as people read it in the recording of the run.
func (q *request) shown(people []person) map[string]any {
	ids := make([]any, len(people))
	for i, p := range people {
		ids[i] = string(p.id)
	}
	return map[string]any{"approval_id": string(q.id), "title": q.title, "details": q.details, "by": ids, "quorum": int64(q.quorum)}
}

// request evaluates what the step asks.
func (in *interpreter) request(snap *tables.Snapshot, caller core.Caller, st *step) (*request, error) {
	const op = "flows.approval"
	values, err := in.arguments(snap, caller, st)
	if err != nil {
		return nil, err
	}
	q := &request{id: core.NewID(), due: never, details: values["details"]}
	if q.title, err = textOf(values["title"]); err != nil || q.title == "" {
		return nil, core.E(op, core.Invalid, core.At{Column: "title"}, "the title is empty, or no text: say what is to be approved")
	}
	if len([]rune(q.title)) > maxTitle {
		return nil, core.E(op, core.Failed, core.At{Column: "title"}, fmt.Sprintf("the title is longer than %d characters: put the rest into details", maxTitle))
	}
	if raw, err := toJSON(q.details); err != nil || len(raw) > maxDetails {
		return nil, core.E(op, core.Failed, core.At{Column: "details"}, "details are no JSON, or longer than 64 KB: name the record in place of it")
	}
	by, isList := values["by"].([]any)
	if !isList && values["by"] != nil {
		by = []any{values["by"]}
	}
	for _, one := range by {
		name, err := textOf(one)
		if err != nil {
			return nil, core.E(op, core.Invalid, core.At{Column: "by"}, "by names users by e-mail address or id, and nothing else")
		}
		if name != "" { // a lookup that is empty asks nobody
			q.by = append(q.by, name)
		}
	}
	if st.await.timeout != nil {
		v, err := st.await.timeout.eval(in.scope, caller)
		if err != nil {
			return nil, err
		}
		due, err := momentOf(v, in.s.now(), false)
		if err != nil {
			return nil, err
		}
		q.due = due.UnixMicro()
	}
	return q, nil
}

// textOf is a value that is a text, or a number or an id as one; empty for none.
func textOf(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	return keyText(v)
}

// person is somebody who is asked.
type person struct{ id, unit core.ID }

// assignees returns who is asked: the users of by and those who hold the role now, each once, without those whose accounts are disabled, and
// without who has started the run where the step says so.
func (s *Service) assignees(ctx context.Context, tx *tables.Tx, r *run, a *approval, q *request) (out []person, err error) {
	const op = "flows.approval"
	var ids []core.ID
	for _, name := range q.by {
		id, _, err := s.account(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		if id == "" {
			return nil, core.E(op, core.Invalid, core.At{Column: "by"}, fmt.Sprintf("there is no user %q: use the e-mail address or the id", name))
		}
		ids = append(ids, id)
	}
	policy := tx.Snapshot().Policy
	if a.role != "" {
		if err := policy.NeedRole(a.role); err != nil {
			return nil, err
		}
		ids = append(ids, policy.Holders(a.role)...)
	}
	b := db.New(s.db.Dialect).Write(`SELECT CAST(started_by AS text) FROM "_flow_run" WHERE id = `).Arg(r.id)
	if err := tx.DB().Query(ctx, b, func(scan func(...any) error) error { return scan(&q.starter) }); err != nil {
		return nil, err
	}
	for _, id := range ids {
		c, err := policy.Caller(id, core.Cause{})
		if err != nil || a.notStarter && id == q.starter || slices.ContainsFunc(out, func(p person) bool { return p.id == id }) {
			continue
		}
		out = append(out, person{id, c.Unit})
	}
	if q.quorum = a.quorum; q.quorum == 0 {
		q.quorum = len(out)
	}
	switch {
	case len(out) == 0:
		return nil, core.E(op, core.Failed, "there is nobody who could approve: name users with by, or a role that somebody holds")
	case len(out) > maxAssignees:
		return nil, core.E(op, core.Failed, fmt.Sprintf("%d people would be asked, and at most %d may: choose a smaller role", len(out), maxAssignees))
	case q.quorum > len(out):
		return nil, core.E(op, core.Failed, fmt.Sprintf("%d must approve, and %s asked: lower the quorum, or name more people", q.quorum, people(len(out))))
	}
	return out, nil
}

func people(n int) string {
	if n == 1 {
		return "1 person is"
	}
	return fmt.Sprintf("%d people are", n)
}

// writeRequest writes what is asked, and whom.
func (s *Service) writeRequest(ctx context.Context, tx *tables.Tx, r *run, m *mark, q *request, people []person) error {
	details, err := toJSON(q.details)
	if err != nil {
		return err
	}
	b := db.New(s.db.Dialect).Write(`INSERT INTO "_flow_approval" (id, run_id, flow_id, flow_name, path, iteration, title, quorum, status, asked_by, owner_id, unit_id, created_at, details, due_at) VALUES (`).Arg(q.id)
	for _, v := range []any{r.id, r.flowID, r.flow.name, m.path, m.iter, q.title, int64(q.quorum), isOpen, q.starter, r.owner, r.unit} {
		b.Write(", ").Arg(v)
	}
	b.Write(", ").Value(&moment, s.now()).Write(", ")
	if q.details == nil {
		b.Write("NULL, ")
	} else {
		b.Value(&anyJSON, json.RawMessage(details)).Write(", ")
	}
	if q.due == never {
		b.Write("NULL)")
	} else {
		b.Value(&moment, time.UnixMicro(q.due).UTC()).Write(")")
	}
	if _, err := tx.DB().Exec(ctx, b); err != nil {
		return err
	}
	for _, p := range people {
		if err := s.assign(ctx, tx.DB(), q.id, p, ""); err != nil {
			return err
		}
	}
	return nil
}

// assign gives somebody a request to answer, in place of who delegates it, if anybody.
func (s *Service) assign(ctx context.Context, tx *db.Tx, id core.ID, p person, by core.ID) error {
	b := db.New(s.db.Dialect).Write(`INSERT INTO "_flow_assignment" (id, approval_id, owner_id, unit_id, created_at, delegated_by) VALUES (`).Arg(core.NewID())
	for _, v := range []any{id, p.id, p.unit} {
		b.Write(", ").Arg(v)
	}
	b.Write(", ").Value(&moment, s.now()).Write(", ")
	if by == "" {
		b.Write("NULL)")
	} else {
		b.Arg(by).Write(")")
	}
	_, err := tx.Exec(ctx, b)
	return err
}

// verdict is what people have said.
type verdict struct {
	Approved bool  `json:"approved"`
	TimedOut bool  `json:"timed_out"`
	Answers  []any `json:"answers"`
}

// errDecided says that a request was decided in the moment in which its time was over.
var errDecided = errors.New("the request was decided just now")

// approvalEnded looks whether people have decided, or their time is over, and remembers that.
func (in *interpreter) approvalEnded(ctx context.Context, st *step, m *mark) error {
	due, state, event, err := in.s.expected(ctx, in.r, m)
	if err != nil {
		return err
	}
	now := in.s.now()
	if state != fired && due > now.UnixMicro() {
		return errSuspended
	}
	var out verdict
	if state == fired {
		if err := remarshal(event, &out); err != nil {
			return err
		}
	}
	m.finished = now
	err = in.tx(ctx, func(tx *db.Tx) error {
		if err := in.taken(ctx, tx, m); err != nil { // which has the run locked, as who answers has: either sees the other
			return err
		}
		if state != fired {
			if err := in.expire(ctx, tx, m, &out); err != nil {
				return err
			}
		}
		var err error
		if m.output, err = toJSON(out); err != nil {
			return err
		}
		m.status = succeeded
		return in.s.write(ctx, tx, in.r, []*mark{m})
	})
	if errors.Is(err, errDecided) {
		m.status, m.output = waiting, nil
		return errSuspended
	}
	if err != nil {
		return err
	}
	return in.known(st, out)
}

// expire closes the request of which the time is over, and tells what was said until then.
func (in *interpreter) expire(ctx context.Context, tx *db.Tx, m *mark, out *verdict) error {
	var id core.ID
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_approval" SET status = 'timed_out', closed_at = `).Value(&moment, in.s.now()).Write(" WHERE status = 'open' AND run_id = ").Arg(in.r.id).
		Write(" AND path = ").Arg(m.path).Write(" AND iteration = ").Arg(m.iter).Write(" RETURNING CAST(id AS text)")
	if err := tx.Query(ctx, b, func(scan func(...any) error) error { return scan(&id) }); err != nil {
		return err
	}
	if id == "" {
		return errDecided
	}
	var err error
	out.TimedOut = true
	out.Answers, err = in.s.answers(ctx, tx, id)
	return err
}

// answers is what was said to a request, in that order.
func (s *Service) answers(ctx context.Context, tx *db.Tx, id core.ID) ([]any, error) {
	var rows []struct {
		Who         core.ID
		Name        string
		Decision    string
		Comment     *string
		AnsweredAt  db.Time
		DelegatedBy *core.ID
	}
	err := tx.Gorm(ctx).Raw(`SELECT u.id AS who, u.name, a.decision, a.comment, a.answered_at, a.delegated_by FROM "_flow_assignment" AS a JOIN "_user" AS u ON u.id = a.owner_id
		WHERE a.decision IN ('approved', 'rejected') AND a.approval_id = ? ORDER BY a.answered_at, a.id`, id).Scan(&rows).Error
	out := []any{}
	for _, r := range rows {
		out = append(out, map[string]any{"by": r.Who, "name": r.Name, "approve": r.Decision == approved, "comment": r.Comment, "at": r.AnsweredAt.Time, "for": r.DelegatedBy})
	}
	return out, core.E("flows.answers", err)
}

// closeApprovals takes back the requests of a run that have not been decided, those for which under continues the condition.
func (s *Service) closeApprovals(ctx context.Context, tx *db.Tx, run core.ID, under func(*db.Builder) *db.Builder) error {
	b := db.New(tx.Dialect).Write(`UPDATE "_flow_approval" SET status = 'cancelled', closed_at = `).Value(&moment, s.now()).Write(" WHERE status = 'open' AND run_id = ").Arg(run)
	if under != nil {
		under(b)
	}
	_, err := tx.Exec(ctx, b)
	return err
}
