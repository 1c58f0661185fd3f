package coffee

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report asks the server what the example has made of the data.
func (d *demo) report(ctx context.Context) error {
	for _, part := range []func(context.Context) error{d.counts, d.matches, d.tones, d.golden, d.roles, d.timeline} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) counts(ctx context.Context) error {
	var query strings.Builder
	query.WriteString("{")
	names := []string{"contact", "loyalty_member", "online_purchase", "pos_purchase", "review", "customer"}
	for _, t := range names {
		fmt.Fprintf(&query, " %s: %s_aggregate { aggregate { count } }", t, t)
	}
	query.WriteString(" }")
	var answer map[string]struct{ Aggregate struct{ Count int } }
	if err := d.admin.do(ctx, query.String(), nil, &answer); err != nil {
		return err
	}
	var parts []string
	for _, t := range names {
		parts = append(parts, fmt.Sprintf("%d %s", answer[t].Aggregate.Count, t))
	}
	d.printf("  Rows: %s\n", strings.Join(parts, ", "))
	return nil
}

// matches measures the unification against what is known: which contact each loyalty member really is.
func (d *demo) matches(ctx context.Context) error {
	type contact struct {
		ID, Number string
	}
	contacts, err := all(ctx, d.admin, "contact", "id number: contact_no", func(c contact) string { return c.ID })
	if err != nil {
		return err
	}
	type member struct{ ID, Known string }
	members, err := all(ctx, d.admin, "loyalty_member", "id known: known_contact_no", func(m member) string { return m.ID })
	if err != nil {
		return err
	}
	type cross struct{ ID, Golden, Record string }
	rows, err := all(ctx, d.admin, "customer_source", "id golden: customer_id record: source_id", func(c cross) string { return c.ID })
	if err != nil {
		return err
	}
	number := map[string]string{} // of every record: the number of the contact that it is
	for _, c := range contacts {
		number[c.ID] = c.Number
	}
	truth := 0
	byNumber := map[string]int{}
	for _, c := range contacts {
		byNumber[c.Number]++
	}
	for _, m := range members {
		number[m.ID] = m.Known
		truth += byNumber[m.Known]
	}
	golden := map[string][]string{}
	for _, r := range rows {
		golden[r.Golden] = append(golden[r.Golden], number[r.Record])
	}
	found, right := 0, 0
	for _, group := range golden {
		for i, a := range group {
			for _, b := range group[:i] {
				found++
				if a == b {
					right++
				}
			}
		}
	}
	d.printf("  Golden records: %d of %d source records; %d pairs merged, %d known: precision %.4f, recall %.4f\n",
		len(golden), len(rows), found, truth, ratio(right, found), ratio(right, truth))
	return nil
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// tones compares the classes of the reviews with their stars.
func (d *demo) tones(ctx context.Context) error {
	classes := []string{"positive", "neutral", "negative", "none"}
	var query strings.Builder
	query.WriteString("{")
	for stars := 1; stars <= 5; stars++ {
		for _, c := range classes {
			is := fmt.Sprintf(`{_eq: "%s"}`, c)
			if c == "none" {
				is = "{_is_null: true}"
			}
			fmt.Fprintf(&query, " %s_%d: review_aggregate(where: {stars: {_eq: %d}, tone_probability: {_is_null: false}, tone: %s}) { aggregate { count } }", c, stars, stars, is)
		}
	}
	query.WriteString(" }")
	var answer map[string]struct{ Aggregate struct{ Count int } }
	if err := d.admin.do(ctx, query.String(), nil, &answer); err != nil {
		return err
	}
	d.printf("  Reviews classified as they came, by stars:\n    stars  positive  neutral  negative  undecided\n")
	all, right := 0, 0
	for stars := 5; stars >= 1; stars-- {
		n := map[string]int{}
		sum := 0
		for _, c := range classes {
			n[c] = answer[fmt.Sprintf("%s_%d", c, stars)].Aggregate.Count
			sum += n[c]
		}
		if sum == 0 {
			continue
		}
		all += sum
		right += n[map[bool]string{true: "positive", false: map[bool]string{true: "neutral", false: "negative"}[stars == 3]}[stars >= 4]]
		d.printf("    %5d  %8d  %7d  %8d  %9d\n", stars, n["positive"], n["neutral"], n["negative"], n["none"])
	}
	d.printf("    agreement with the stars: %.4f of %d\n", ratio(right, all), all)
	return nil
}

// golden shows one customer that was made of two records, and where each value comes from.
func (d *demo) golden(ctx context.Context) error {
	const query = `{
		customer(where: {sources: {source_table: {_eq: "contact"}}, _and: [{sources: {source_table: {_eq: "loyalty_member"}}}, {phone_valid: {_eq: true}}]}, order_by: {family_name: asc}, limit: 1) {
			id display_name age birth_date email phone phone_e164 email_domain street city state postcode_state country_code income reward_points
			sources(order_by: {source_table: asc}) { source_table source_id }
			lineage { fields }
		}
	}`
	var answer struct{ Customer []map[string]any }
	if err := d.admin.do(ctx, query, nil, &answer); err != nil {
		return err
	}
	if len(answer.Customer) == 0 {
		return fmt.Errorf("no customer was made of two records")
	}
	c := answer.Customer[0]
	d.printf("  One golden record, %v:\n", c["id"])
	fields, _ := c["lineage"].([]any)[0].(map[string]any)["fields"].(map[string]any)
	for _, name := range []string{"display_name", "age", "birth_date", "email", "phone", "phone_e164", "email_domain", "street", "city", "state", "postcode_state", "country_code", "income", "reward_points"} {
		from := "calculated or enriched"
		if f, ok := fields[name].(map[string]any); ok {
			from = fmt.Sprintf("from %v, %v", f["table"], strings.ReplaceAll(fmt.Sprint(f["policy"]), "_", " "))
		}
		d.printf("    %-15s %-42v %s\n", name, c[name], from)
	}
	for _, s := range c["sources"].([]any) {
		row, _ := s.(map[string]any)
		d.printf("    made of         %v %v\n", row["source_table"], row["source_id"])
	}
	return nil
}

// roles asks the same question as three people.
func (d *demo) roles(ctx context.Context) error {
	const query = `{
		customer_aggregate { aggregate { count } }
		customer(order_by: {email: asc}, limit: 3) { display_name state income birth_date age }
	}`
	d.printf("  The same query in three roles:\n")
	for _, p := range d.people {
		var answer struct {
			Count struct{ Aggregate struct{ Count int } } `json:"customer_aggregate"`
			Rows  []map[string]any                        `json:"customer"`
		}
		if err := p.client.do(ctx, query, nil, &answer); err != nil {
			return fmt.Errorf("as %s: %w", p.title, err)
		}
		d.printf("    %s sees %d customers\n", p.title, answer.Count.Aggregate.Count)
		for _, r := range answer.Rows {
			var cells []string
			for _, k := range slices.Sorted(maps.Keys(r)) {
				v, _ := json.Marshal(r[k])
				cells = append(cells, k+" "+string(v))
			}
			d.printf("      %s\n", strings.Join(cells, ", "))
		}
	}
	if err := d.people[2].client.do(ctx, `{ customer(where: {income: {_gt: 100000}}) { display_name } }`, nil, nil); err != nil {
		d.printf("    Support asks for incomes over 100000: %v\n", err)
	} else {
		return fmt.Errorf("support could filter by a column that it must not see")
	}
	return nil
}

// timeline shows the run of a flow, as head office reads it.
func (d *demo) timeline(ctx context.Context) error {
	const query = `{
		_flow_run(where: {flow_name: {_eq: "unify_customers"}}, order_by: {created_at: desc}, limit: 1) {
			id flow: flow_name status trigger: trigger_kind created_at started_at finished_at
			steps(order_by: {started_at: asc}) { name status attempt started_at finished_at }
		}
		_flow_run_aggregate(where: {status: {_eq: "succeeded"}}) { aggregate { count } }
	}`
	type span struct {
		Started  time.Time `json:"started_at"`
		Finished time.Time `json:"finished_at"`
	}
	var answer struct {
		Runs []struct {
			span
			ID, Flow, Status, Trigger string
			Created                   time.Time `json:"created_at"`
			Steps                     []struct {
				span
				Name, Status string
				Attempt      int
			}
		} `json:"_flow_run"`
		Done struct{ Aggregate struct{ Count int } } `json:"_flow_run_aggregate"`
	}
	if err := d.people[0].client.do(ctx, query, nil, &answer); err != nil {
		return err
	}
	if len(answer.Runs) == 0 {
		return fmt.Errorf("head office sees no run of the unification")
	}
	r := answer.Runs[0]
	d.printf("  A flow's run, %s (%s, started %s): %s\n", r.Flow, r.ID, r.Trigger, r.Status)
	d.printf("    %8.3f s  started\n", r.Started.Sub(r.Created).Seconds())
	for _, s := range r.Steps {
		d.printf("    %8.3f s  step %s: %s in %.3f s\n", s.Started.Sub(r.Created).Seconds(), s.Name, s.Status, s.Finished.Sub(s.Started).Seconds())
	}
	d.printf("    %8.3f s  finished\n", r.Finished.Sub(r.Created).Seconds())
	d.printf("  Flow runs that succeeded: %d\n", answer.Done.Aggregate.Count)
	return nil
}
