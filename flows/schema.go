package flows

import "colonnade/core"

// The states of runs and steps.
const (
	waiting   = "waiting"
	running   = "running"
	succeeded = "succeeded"
	failed    = "failed"
	cancelled = "cancelled"
)

// Tables returns the tables of this package, as readers see them: they hold more, which only the machinery reads.
func Tables() []core.Table {
	table := func(name, label, doc string, own core.Ownership, columns ...core.Column) core.Table {
		return core.Table{Name: name, Label: label, Doc: doc, Ownership: own, Builtin: true, Columns: columns}
	}
	return []core.Table{
		table("_flow", "Flow", "What runs by itself: the present definitions.", core.OrgOwned,
			id(), required("name", core.Text), col("doc", core.LongText), required("definition", core.LongText), required("version", core.Integer),
			required("enabled", core.Boolean), link("run_as", "_user", "flows", "The user whose rights the flow has."),
			required("created_at", core.Timestamp), required("updated_at", core.Timestamp), required("updated_by", core.UUID)),
		table("_flow_version", "Flow version", "Every definition that a flow has had. A run keeps the one that it began with.", core.OrgOwned,
			id(), link("flow_id", "_flow", "versions", "The flow."), required("version", core.Integer), required("definition", core.LongText),
			required("created_at", core.Timestamp), required("created_by", core.UUID)),
		table("_flow_schedule", "Flow schedule", "When a flow runs next by the clock.", core.OrgOwned,
			id(), link("flow_id", "_flow", "schedules", "The flow."), required("next_at", core.Timestamp)),
		table("_flow_run", "Flow run", "What flows did, and are doing. A run belongs to the user whose rights it had.", core.UserOwned, readable(runColumns())...),
		table("_flow_step", "Flow step", "The steps of runs.", core.UserOwned, readable(stepColumns())...),
		table("_flow_approval", "Flow approval", "What runs ask people to approve. A request belongs to the user of the run.", core.UserOwned, approvalColumns()...),
		table("_flow_assignment", "Flow assignment", "Who is asked, and what was answered. It belongs to who is asked.", core.UserOwned, assignmentColumns()...),
	}
}

func col(name string, k core.Kind) core.Column { return core.Column{Name: name, Kind: k} }

func required(name string, k core.Kind) core.Column {
	return core.Column{Name: name, Kind: k, Required: true}
}

func id() core.Column {
	return core.Column{Name: "id", Kind: core.UUID, Required: true, System: true, Doc: "The primary key."}
}

func link(name, target, inverse, doc string) core.Column {
	c := core.Column{Name: name, Kind: core.Lookup, Target: target, Inverse: inverse, Required: true, Doc: doc}
	if name == "run_as" {
		c.Relation = "run_as_user"
	}
	return c
}

func state(states ...string) core.Column {
	c := required("status", core.Choice)
	for _, s := range states {
		c.Options = append(c.Options, core.Option{Value: s})
	}
	return c
}

func owner() []core.Column {
	return []core.Column{
		{Name: "owner_id", Kind: core.UUID, Required: true, System: true, Doc: "The user whose rights the run has."},
		{Name: "unit_id", Kind: core.UUID, Required: true, System: true, Doc: "The business unit of that user."},
	}
}

// internal marks the columns that only the machinery reads.
const internal = "internal"

func secret(name string, k core.Kind) core.Column {
	return core.Column{Name: name, Kind: k, Doc: internal}
}

func runColumns() []core.Column {
	columns := []core.Column{
		id(), link("flow_id", "_flow", "runs", "The flow."), required("flow_name", core.Text),
		{Name: "version", Kind: core.Integer, Required: true, Doc: "The version of the flow that runs."},
		state(waiting, running, succeeded, failed, cancelled),
		{Name: "trigger_kind", Kind: core.Text, Required: true, Doc: "event, cron, manual or webhook."},
		{Name: "input", Kind: core.JSON, Required: true, Doc: "What expressions see as trigger."},
		{Name: "output", Kind: core.JSON, Doc: "What set steps set."},
		{Name: "error", Kind: core.LongText, Doc: "Why the run failed."},
		{Name: "error_kind", Kind: core.Text, Doc: "The kind of that error."},
		{Name: "key", Kind: core.Text, Doc: "A flow has one run of a key, such as the time of a schedule or the id of a delivery."},
		{Name: "cause", Kind: core.Text, Required: true, Doc: "What led to the run: api, flow, import, schedule, webhook, replay."},
		{Name: "cause_id", Kind: core.Text, Doc: "The flow run or the import that led to the run, or the run that it replays."},
		{Name: "depth", Kind: core.Integer, Required: true, Doc: "How many flow runs led here."},
		{Name: "started_by", Kind: core.UUID, Required: true, Doc: "The user who started the run or changed the record."},
	}
	columns = append(columns, owner()...)
	return append(columns,
		required("created_at", core.Timestamp), col("started_at", core.Timestamp), col("finished_at", core.Timestamp),
		core.Column{Name: "attempts", Kind: core.Integer, Required: true, Doc: "How often a worker took the run up."},
		secret("fence", core.Integer),    // rises when the run changes hands: who holds an old one can write nothing
		secret("worker", core.Text),      // who holds the run
		secret("lease", core.Integer),    // until when; 0 for a run that nobody has begun
		secret("due", core.Integer),      // not before
		secret("deadline", core.Integer), // 0 before the start
		secret("timeout", core.Integer),
		secret("queued", core.Integer), // 1: not before the runs of the flow that came first
		secret("crashes", core.Integer),
		secret("items", core.Integer),   // of a batch
		secret("kept_input", core.JSON), // what the run goes on with, where the input shows less
	)
}

func readable(columns []core.Column) []core.Column {
	var out []core.Column
	for _, c := range columns {
		if c.Doc != internal {
			out = append(out, c)
		}
	}
	return out
}

func stepColumns() []core.Column {
	return append([]core.Column{
		id(), link("run_id", "_flow_run", "steps", "The run."),
		{Name: "path", Kind: core.Text, Required: true, Doc: "Where the step stands in the definition."},
		{Name: "iteration", Kind: core.Text, Required: true, Doc: "Which item of the for_each around it, from 0; 2.0 within two of them."},
		required("name", core.Text),
		{Name: "kind", Kind: core.Text, Required: true, Doc: "The word that names the step: action, if, for_each and so on."},
		state(waiting, running, succeeded, failed, cancelled),
		{Name: "attempt", Kind: core.Integer, Required: true, Doc: "How often it was tried."},
		col("input", core.JSON), col("output", core.JSON), col("error", core.LongText), col("error_kind", core.Text),
		required("started_at", core.Timestamp), col("finished_at", core.Timestamp),
		secret("kept_input", core.JSON), secret("kept_output", core.JSON), // what the run goes on with, where the others show less
	}, owner()...)
}

func approvalColumns() []core.Column {
	status := required("status", core.Choice)
	for _, s := range []string{isOpen, approved, rejected, timedOut, cancelled} {
		status.Options = append(status.Options, core.Option{Value: s})
	}
	return append([]core.Column{
		id(), link("run_id", "_flow_run", "approvals", "The run that waits."), link("flow_id", "_flow", "approvals", "The flow."), required("flow_name", core.Text),
		{Name: "path", Kind: core.Text, Required: true, Doc: "Where the step stands in the definition."}, {Name: "iteration", Kind: core.Text, Required: true, Doc: "As of the step."},
		{Name: "title", Kind: core.Text, Required: true, Doc: "What is to be approved."}, {Name: "details", Kind: core.JSON, Doc: "More about it."},
		{Name: "quorum", Kind: core.Integer, Required: true, Doc: "How many must approve."}, status,
		{Name: "asked_by", Kind: core.UUID, Required: true, Doc: "The user who started the run or changed the record."},
		required("created_at", core.Timestamp), {Name: "due_at", Kind: core.Timestamp, Doc: "When the run goes on without an answer."}, col("closed_at", core.Timestamp),
	}, owner()...)
}

func assignmentColumns() []core.Column {
	decision := col("decision", core.Choice)
	for _, s := range []string{approved, rejected, delegated} {
		decision.Options = append(decision.Options, core.Option{Value: s})
	}
	return []core.Column{
		id(), link("approval_id", "_flow_approval", "assignments", "The request."), decision, col("comment", core.LongText), col("answered_at", core.Timestamp),
		{Name: "delegated_by", Kind: core.UUID, Doc: "In whose place."}, required("created_at", core.Timestamp),
		{Name: "owner_id", Kind: core.UUID, Required: true, System: true, Doc: "The user who is asked."},
		{Name: "unit_id", Kind: core.UUID, Required: true, System: true, Doc: "The business unit of that user."},
	}
}

// The columns as they are written.
var (
	runStored  = pointers(runColumns())
	stepStored = pointers(stepColumns())
	moment     = core.Column{Kind: core.Timestamp}
	anyJSON    = core.Column{Kind: core.JSON}
)

func pointers(columns []core.Column) []*core.Column {
	out := make([]*core.Column, len(columns))
	for i := range columns {
		out[i] = &columns[i]
	}
	return out
}
