package coffee

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

//go:embed tables/*.graphql roles.graphql job.json flows/*.yaml
var definitions embed.FS

// Options of the demo.
type Options struct {
	URL      string // of a server's GraphQL endpoint
	Key      string // an API key of an administrator
	Out      io.Writer
	Terminal bool // Out is a terminal: draw progress bars
}

// demo is one run of the coffee example.
type demo struct {
	o      Options
	admin  *client
	people []person
	begun  time.Time
}

// person is somebody who looks at the data in a role.
type person struct {
	title, role, email string
	client             *client
}

// trainOn is how many reviews the classifier learns from; the rest come after it and are classified as they come.
const trainOn = 4000

// Run builds the coffee example on a server, with nothing but its public API, and prints what came out.
func Run(ctx context.Context, o Options) error {
	d := &demo{o: o, admin: newClient(o.URL, o.Key), begun: time.Now()}
	for _, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"Tables, rules and roles", d.define},
		{"Import", d.loadPeople},
		{"Unify the customers; each new one is enriched by an event", d.unify},
		{"Learn from the first reviews, then classify the others as they come", d.classify},
		{"What came out", d.report},
	} {
		d.printf("\n%s\n", step.title)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("coffee: %s: %w", strings.ToLower(step.title[:1])+step.title[1:], err)
		}
	}
	d.printf("\nDone in %.1f s.\n", time.Since(d.begun).Seconds())
	return nil
}

func (d *demo) printf(format string, args ...any) { _, _ = fmt.Fprintf(d.o.Out, format, args...) }

// text returns a definition; the word JOB stands for the job of the unification.
func text(name string) (string, error) {
	raw, err := definitions.ReadFile(name)
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(raw), "JOB") {
		return string(raw), nil
	}
	job, err := definitions.ReadFile("job.json")
	return strings.ReplaceAll(string(raw), "JOB", strings.Join(strings.Fields(string(job)), " ")), err
}

func (d *demo) define(ctx context.Context) error {
	tables, err := fs.Glob(definitions, "tables/*.graphql") // sorted: the lookups come last
	if err != nil {
		return err
	}
	for _, name := range tables {
		table, err := text(name)
		if err != nil {
			return err
		}
		if err := d.admin.do(ctx, table, nil, nil); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	job, err := text("job.json")
	if err != nil {
		return err
	}
	if err := d.admin.do(ctx, `mutation($job: jsonb!) { unify_prepare(job: $job) { created } }`, map[string]any{"job": raw(job)}, nil); err != nil {
		return err
	}
	roles, err := text("roles.graphql")
	if err != nil {
		return err
	}
	if err := d.admin.do(ctx, roles, nil, nil); err != nil {
		return err
	}
	d.people = []person{
		{title: "Head office", role: "head_office", email: "olivia@coffee.example"},
		{title: "Store manager, California", role: "store_manager_california", email: "carlos@coffee.example"},
		{title: "Support", role: "support", email: "sofia@coffee.example"},
	}
	for i := range d.people {
		if err := d.hire(ctx, &d.people[i]); err != nil {
			return err
		}
	}
	d.printf("  8 tables with their lookups, rules and formulas; 3 roles, 3 users\n")
	return nil
}

// raw is JSON that goes into the variables as it is.
type raw string

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// hire makes a user with a role, and a key to act as him.
func (d *demo) hire(ctx context.Context, p *person) error {
	const query = `mutation($name: String!, $email: String!, $role: String!) {
		create_user(name: $name, email: $email) { id }
		assign_role(role: $role, user: $email) { role }
		create_api_key(name: "demo", user: $email) { secret }
	}`
	name, _, _ := strings.Cut(p.email, "@")
	var answer struct {
		Key struct{ Secret string } `json:"create_api_key"`
	}
	if err := d.admin.do(ctx, query, map[string]any{"name": strings.ToUpper(name[:1]) + name[1:], "email": p.email, "role": p.role}, &answer); err != nil {
		return err
	}
	p.client = d.admin.as(answer.Key.Secret)
	return nil
}

func (d *demo) loadPeople(ctx context.Context) error {
	for _, e := range extracts {
		to := 1 << 30
		if e.table == "review" {
			to = trainOn
		}
		if err := d.load(ctx, e, 0, to); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) unify(ctx context.Context) error {
	begun := time.Now()
	for _, name := range []string{"enrich_customer", "unify_customers"} {
		if err := d.putFlow(ctx, name); err != nil {
			return err
		}
	}
	var stats struct{ Customers, Merged int }
	if err := d.runFlow(ctx, "unify_customers", &stats); err != nil {
		return err
	}
	d.printf("  %d customers, %d of them from two or more records, in %.2f s; next run each night at 2:00\n", stats.Customers, stats.Merged, time.Since(begun).Seconds())
	if err := d.idle(ctx); err != nil {
		return err
	}
	d.printf("  enriched after %.2f s\n", time.Since(begun).Seconds())
	return nil
}

func (d *demo) classify(ctx context.Context) error {
	begun := time.Now()
	if err := d.putFlow(ctx, "train_tone"); err != nil {
		return err
	}
	var stats struct{ Accuracy float64 }
	if err := d.runFlow(ctx, "train_tone", &stats); err != nil {
		return err
	}
	d.printf("  trained on %d reviews in %.2f s; cross-validated accuracy %.4f (the texts are few and repeat word for word)\n", trainOn, time.Since(begun).Seconds(), stats.Accuracy)
	if err := d.putFlow(ctx, "classify_review"); err != nil {
		return err
	}
	if err := d.load(ctx, extracts[len(extracts)-1], trainOn, 1<<30); err != nil {
		return err
	}
	if err := d.idle(ctx); err != nil {
		return err
	}
	d.printf("  all classified after %.2f s\n", time.Since(begun).Seconds())
	return nil
}

func (d *demo) putFlow(ctx context.Context, name string) error {
	definition, err := text("flows/" + name + ".yaml")
	if err != nil {
		return err
	}
	return d.admin.do(ctx, `mutation($d: String!) { put_flow(definition: $d) { name version } }`, map[string]any{"d": definition}, nil)
}

// runFlow starts a flow and waits for its end. The output of the run goes into out.
func (d *demo) runFlow(ctx context.Context, name string, out any) error {
	var started struct {
		Run struct {
			ID string `json:"run_id"`
		} `json:"run_flow"`
	}
	if err := d.admin.do(ctx, `mutation($n: String!) { run_flow(name: $n) { run_id } }`, map[string]any{"n": name}, &started); err != nil {
		return err
	}
	const query = `query($id: uuid!) { run: _flow_run_by_pk(id: $id) { status output error } }`
	for {
		var answer struct {
			Run struct {
				Status, Error string
				Output        any
			}
		}
		answer.Run.Output = out
		if err := d.admin.do(ctx, query, map[string]any{"id": started.Run.ID}, &answer); err != nil {
			return err
		}
		switch answer.Run.Status {
		case "succeeded":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("the flow %s %s: %s", name, answer.Run.Status, answer.Run.Error)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// idle waits until no flow has anything to do: no run waits or runs, twice in a row, with a moment for events between.
func (d *demo) idle(ctx context.Context) error {
	const query = `{
		busy: _flow_run_aggregate(where: {status: {_in: ["waiting", "running"]}}) { aggregate { count } }
		failed: _flow_run(where: {status: {_eq: "failed"}}, limit: 1) { flow_name error }
		new: customer_aggregate(where: {email_domain: {_is_null: true}, email: {_is_null: false}}) { aggregate { count } }
		unread: review_aggregate(where: {tone_probability: {_is_null: true}}) { aggregate { count } }
	}`
	for {
		var answer struct {
			Busy, New, Unread struct{ Aggregate struct{ Count int } }
			Failed            []struct {
				Flow  string `json:"flow_name"`
				Error string
			}
		}
		if err := d.admin.do(ctx, query, nil, &answer); err != nil {
			return err
		}
		if len(answer.Failed) > 0 {
			return fmt.Errorf("the flow %s failed: %s", answer.Failed[0].Flow, answer.Failed[0].Error)
		}
		unread := answer.Unread.Aggregate.Count
		if answer.Busy.Aggregate.Count == 0 && answer.New.Aggregate.Count == 0 && unread <= trainOn {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits a moment before the server is asked again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}
