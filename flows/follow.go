package flows

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
	"colonnade/tables"
)

// follow has the flows follow a change of the schema: tables and columns that their triggers, their expressions and the
// arguments named table of their actions name get their new names. A flow that would not start any more refuses the change.
func (s *Service) follow(ctx context.Context, tx *tables.Tx, f tables.Following) ([]tables.Dependant, func(context.Context) error, error) {
	all, sources, err := s.saved(ctx, tx.DB())
	if err != nil {
		return nil, nil, core.E("flows.follow", err)
	}
	var found []tables.Dependant
	next := map[*flow]*definition{}
	for _, one := range all {
		if _, err := parse(sources[one.name]); err != nil {
			continue // this version of the program cannot run it
		}
		d, about, err := s.followed(sources[one.name], f)
		if err != nil {
			return nil, nil, core.E("flows.follow", core.Invalid, fmt.Sprintf("the flow %s cannot follow: %s", one.name, core.AsError(err).Msg), err)
		}
		for i := range about {
			about[i].Kind, about[i].Name = "flow", one.name
		}
		found = append(found, about...)
		if d.source != sources[one.name] {
			next[one] = d
		}
		if one.enabled {
			if err := d.fits(f.To, func(string, string) bool { return true }); err != nil {
				return nil, nil, core.E("flows.follow", core.Invalid, fmt.Sprintf("the flow %s would break: %s. Change it first, or save it with enabled: false", one.name, core.AsError(err).Msg), err)
			}
		}
		if event := d.trigger.event; one.enabled && event != nil {
			if _, err := event.compile(f.To); err != nil {
				return nil, nil, core.E("flows.follow", core.Invalid, fmt.Sprintf("the flow %s would break: %s. Change it first, or save it with enabled: false", one.name, core.AsError(err).Msg), err)
			}
		}
	}
	if len(next) == 0 {
		return found, nil, nil
	}
	return found, func(ctx context.Context) error { return s.rewrite(ctx, tx, all, next) }, nil
}

// saved returns the flows as the transaction sees them, by name, and the texts of their definitions.
func (s *Service) saved(ctx context.Context, c db.Conn) (all []*flow, sources map[string]string, err error) {
	sources = map[string]string{}
	err = c.Query(ctx, db.New(s.db.Dialect).Write(selectFlow, " ORDER BY name"), func(scan func(...any) error) error {
		f, source, err := scanFlow(scan)
		sources[f.name] = source
		all = append(all, f)
		return err
	})
	return all, sources, err
}

// bump counts up the number of the state of all flows, by which other processes see that something changed, and which makes those who change
// flows take turns.
func (s *Service) bump(ctx context.Context, tx *tables.Tx) error {
	b := db.New(s.db.Dialect).Write(`UPDATE "_meta" SET value = CAST(CAST(value AS bigint) + 1 AS text) WHERE key = 'flow_version'`)
	_, err := tx.DB().Exec(ctx, b)
	return err
}

// rewrite saves definitions as the next versions of their flows. Runs that have begun go on with the versions that they have.
func (s *Service) rewrite(ctx context.Context, tx *tables.Tx, all []*flow, next map[*flow]*definition) error {
	if err := s.bump(ctx, tx); err != nil {
		return err
	}
	for _, old := range all {
		d, ok := next[old]
		if !ok {
			continue
		}
		f := *old
		f.version, f.def = old.version+1, d
		if err := s.writeFlow(ctx, tx, &f, old, by(ctx)); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.matched.Store(nil); s.Wake() })
	return nil
}

func by(ctx context.Context) core.ID {
	if c := core.CallerFrom(ctx); c.User != "" {
		return c.User
	}
	return core.SystemID
}

// followed returns the definition with the new names, and what of it the change is about.
func (s *Service) followed(source string, f tables.Following) (*definition, []tables.Dependant, error) {
	d, err := parse(source)
	if err != nil {
		return nil, nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(source), &doc); err != nil {
		return nil, nil, err
	}
	r := renamer{service: s, f: f}
	if e := d.trigger.event; e != nil {
		r.table = e.table
		r.trigger = map[string]string{}
		for from, to := range f.Moves.Renamed(e.table) {
			for _, of := range []string{"trigger.record.", "trigger.old."} {
				r.trigger[of+from] = to
			}
		}
	}
	r.flow(doc.Content[0])
	if r.err != nil || !r.changed {
		return d, r.found, r.err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, nil, err
	}
	if err := e.Close(); err != nil {
		return nil, nil, err
	}
	if d, err = parse(b.String()); err != nil {
		return nil, nil, err
	}
	return d, r.found, d.check(s.actions)
}

// renamer changes names in the tree of a definition. The first error sticks.
type renamer struct {
	service *Service
	f       tables.Following
	table   string            // that starts the flow
	trigger map[string]string // of the columns of its records, as expressions name them
	changed bool
	found   []tables.Dependant
	err     error
}

func (r *renamer) set(n *yaml.Node, to string) {
	if to != n.Value {
		n.Value, r.changed = to, true
	}
}

func (r *renamer) note(table, column, effect string) {
	d := tables.Dependant{Table: table, Column: column, Effect: effect}
	if !slices.Contains(r.found, d) {
		r.found = append(r.found, d)
	}
}

func (r *renamer) flow(n *yaml.Node) {
	keys := keysOf(n)
	if t := keys["trigger"]; t != nil {
		if e := keysOf(t)["event"]; e != nil {
			r.event(keysOf(e))
		}
	}
	if steps := keys["steps"]; steps != nil {
		r.node(steps)
	}
}

func (r *renamer) event(keys map[string]*yaml.Node) {
	if t := keys["table"]; t != nil {
		r.tableName(t)
	}
	if when := keys["when"]; when != nil {
		if err := r.condition(when); err != nil && r.err == nil {
			r.err = err
		}
	}
}

// condition follows what the condition of the trigger names: columns of its table, and relations and columns of others.
func (r *renamer) condition(when *yaml.Node) error {
	t, err := r.f.From.Table(r.table)
	if err != nil {
		return nil // the table is gone already, and the flow rests
	}
	to, err := rules.Follow(r.f.From, r.f.To, t.SQL(), when.Value)
	if err != nil || to == when.Value {
		return err
	}
	named, err := rules.Names(r.f.From, t.SQL(), when.Value)
	if err != nil {
		return err
	}
	for _, n := range named {
		of, ok := r.f.From.Stored(n.Table)
		if !ok {
			continue
		}
		i := slices.IndexFunc(of.Columns, func(c core.Column) bool { return c.SQL() == n.Column })
		if i < 0 {
			continue
		}
		if name := of.Columns[i].Name; r.f.Moves.Renamed(of.Name)[name] != "" {
			r.note(of.Name, name, "follows")
		}
	}
	r.set(when, to)
	return nil
}

// mention notes which of the renamed columns an expression names.
func (r *renamer) mention(source string, renamed map[string]string) {
	paths, err := rules.Mentions(source)
	if err != nil {
		return
	}
	for from := range renamed {
		if slices.ContainsFunc(paths, func(p string) bool { return p == from || strings.HasSuffix(p, "."+from) }) {
			r.note(r.table, from, "follows")
		}
	}
}

func (r *renamer) tableName(n *yaml.Node) {
	if to, ok := r.f.Moves.Tables[n.Value]; ok && to != "" && !core.IsDroppedName(to) {
		r.note(n.Value, "", "follows")
		r.set(n, to)
	}
}

// node changes the expressions and the names of tables in the steps.
func (r *renamer) node(n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		keys := keysOf(n)
		if a := keys["action"]; a != nil && keys["with"] != nil {
			r.action(a.Value, keysOf(keys["with"]))
		}
		if c := keys["if"]; c != nil && (keys["then"] != nil || keys["else"] != nil) {
			r.expression(c, "")
		}
		if c := keys["switch"]; c != nil && keys["cases"] != nil {
			r.expression(c, "")
		}
		if each := keys["for_each"]; each != nil {
			if list := keysOf(each)["in"]; list != nil {
				r.expression(list, "")
			}
		}
		if w := keys["wait"]; w != nil {
			r.await(keysOf(w))
		}
		for i := 1; i < len(n.Content); i += 2 {
			r.node(n.Content[i])
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			r.node(c)
		}
	case yaml.ScalarNode:
		if strings.HasPrefix(n.Value, "=") && n.Tag == "!!str" {
			r.expression(n, "=")
		}
	}
}

// await follows the table whose changes a step waits for, the column that holds the key, and those that the condition names.
func (r *renamer) await(keys map[string]*yaml.Node) {
	if keys["event"] == nil {
		return
	}
	e := keysOf(keys["event"])
	t := e["table"]
	if t == nil {
		return
	}
	table := t.Value
	renamed := map[string]string{}
	for from, to := range r.f.Moves.Renamed(table) {
		if renamed["event.record."+from], renamed["event.old."+from] = to, to; e["match"] != nil && e["match"].Value == from {
			r.note(table, from, "follows")
			r.set(e["match"], to)
		}
	}
	if when := e["when"]; when != nil && len(renamed) > 0 {
		if to, err := rules.Rename(when.Value, renamed); err == nil {
			r.set(when, to)
		}
	}
	r.tableName(t)
}

// expression renames in what follows the prefix.
func (r *renamer) expression(n *yaml.Node, prefix string) {
	if len(r.trigger) == 0 {
		return
	}
	source := strings.TrimPrefix(n.Value, prefix)
	to, err := rules.Rename(source, r.trigger)
	if err == nil && to != source {
		r.mention(source, r.f.Moves.Renamed(r.table))
		r.set(n, prefix+to)
	}
}

// action follows the table that an action works on. Columns that its other arguments name are the action's own matter: the
// plan says where to look.
func (r *renamer) action(name string, with map[string]*yaml.Node) {
	a, t := r.service.actions[name], with["table"]
	if a == nil || t == nil || t.Kind != yaml.ScalarNode || !slices.ContainsFunc(a.Input, func(c core.Column) bool { return c.Name == "table" && c.Kind == core.Text }) {
		return
	}
	table := t.Value
	r.tableName(t)
	for from := range r.f.Moves.Columns[table] {
		for key, v := range with {
			if key != "table" && says(v, from) {
				effect := fmt.Sprintf("stays as it is: look at %s of %s, which may mean the column", key, name)
				r.note(table, from, effect)
			}
		}
	}
}

// says reports whether a word of the node is the name.
func says(n *yaml.Node, name string) bool {
	words := strings.FieldsFunc(n.Value, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	return slices.Contains(words, name) || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return says(c, name) })
}

// code makes flows a part of schemas as code.
type code struct{ *Service }

var _ tables.Definitions = code{}

// Folder implements tables.Definitions.
func (code) Folder() string { return "flows/" }

// Export implements tables.Definitions: for those who manage flows, the texts as they were saved.
func (c code) Export(ctx context.Context, tx *tables.Tx) ([]tables.File, error) {
	if tx.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows") != nil {
		return nil, nil
	}
	all, sources, err := c.saved(ctx, tx.DB())
	var out []tables.File
	for _, f := range all {
		out = append(out, tables.File{Path: c.Folder() + f.name + ".yaml", Text: sources[f.name]})
	}
	return out, core.E("flows.Export", err)
}

// Plan implements tables.Definitions.
func (c code) Plan(ctx context.Context, tx *tables.Tx, f tables.File) (string, error) {
	const op = "flows.Plan"
	if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows"); err != nil {
		return "", core.E(op, err)
	}
	d, err := parse(f.Text)
	if err == nil {
		err = d.check(c.actions)
	}
	if err != nil {
		return "", core.E(op, err, f.Path+": "+core.AsError(err).Msg)
	}
	if want := c.Folder() + d.name + ".yaml"; f.Path != want {
		return "", core.E(op, core.Invalid, fmt.Sprintf("%s: the flow is named %s: call the file %s", f.Path, d.name, want))
	}
	old, source, err := c.find(ctx, tx.DB(), d.name)
	switch {
	case err != nil:
		return "", core.E(op, err)
	case old == nil:
		return "create flow " + d.name, nil
	case source == f.Text:
		return "", nil
	}
	return "change flow " + d.name, nil
}

// Apply implements tables.Definitions.
func (c code) Apply(ctx context.Context, tx *tables.Tx, f tables.File) error {
	d, err := parse(f.Text)
	if err == nil {
		err = d.check(c.actions)
	}
	if err == nil {
		_, err = c.put(ctx, tx, d)
	}
	return core.E("flows.Apply", err)
}
