package tables

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"

	"colonnade/core"
)

// Definitions are kept by a layer above and are a part of a schema as code, a file for each: flows, for example.
type Definitions interface {
	// Folder is where their files are, such as flows/.
	Folder() string
	// Export returns the files, as far as the caller of ctx may define what is in them.
	Export(ctx context.Context, tx *Tx) ([]File, error)
	// Plan says in one line what Apply would do with the file, "" for nothing.
	Plan(ctx context.Context, tx *Tx, f File) (string, error)
	// Apply saves the file, under the rights of the caller.
	Apply(ctx context.Context, tx *Tx, f File) error
}

// Define makes the definitions a part of schemas as code. Call it before Load.
func (s *Store) Define(d Definitions) {
	if s.definitions == nil {
		s.definitions = map[string]Definitions{}
	}
	s.definitions[d.Folder()] = d
}

// export returns the schema as files, by path. Roles are those of who may manage access.
func (s *Store) export(ctx context.Context, tx *Tx) ([]File, error) {
	caller := core.CallerFrom(ctx)
	if err := tx.snap.Policy.May(caller, "define_tables"); err != nil {
		return nil, err
	}
	out, err := exportTables(tx.snap.Schema)
	if err != nil {
		return nil, err
	}
	if tx.snap.Policy.May(caller, "manage_access") == nil {
		roles, err := exportRoles(tx.snap.Schema, tx.snap.access)
		if err != nil {
			return nil, err
		}
		profiles, err := exportProfiles(tx.snap.Schema, tx.snap.access)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, profiles, roles)
	}
	for _, folder := range slices.Sorted(maps.Keys(s.definitions)) {
		files, err := s.definitions[folder].Export(ctx, tx)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// codePlan tells what applying files does.
type codePlan struct {
	lines []string
	*Plan
}

func (p *codePlan) record() core.Record {
	out := p.Plan.Record()
	lines := []any{}
	for _, l := range p.lines {
		lines = append(lines, l)
	}
	out["changes"] = lines
	delete(out, "plan")
	return out
}

// planCode compares files with what there is. Nothing is done.
func (s *Store) planCode(ctx context.Context, tx *Tx, files []File) (*codePlan, error) {
	b, err := s.readFiles(files)
	if err != nil {
		return nil, err
	}
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return nil, err
	}
	changes, err := b.changes(tx.snap.Schema)
	if err != nil {
		return nil, err
	}
	out := &codePlan{Plan: &Plan{Version: tx.snap.Schema.Version()}}
	for _, c := range changes {
		out.lines = append(out.lines, describe(c))
	}
	if len(changes) > 0 {
		if out.Plan, err = tx.planChange(ctx, changes); err != nil {
			return nil, err
		}
	}
	if err := b.planAbove(ctx, tx, out); err != nil {
		return nil, err
	}
	drops, err := b.drop.drops(tx.snap.Schema)
	if err != nil {
		return nil, err
	}
	for _, c := range drops {
		out.lines = append(out.lines, describe(c))
	}
	return out, nil
}

// planAbove adds what becomes of roles and of the definitions above.
func (b *codeFiles) planAbove(ctx context.Context, tx *Tx, out *codePlan) error {
	if b.aboutAccess() {
		if err := tx.snap.Policy.May(core.CallerFrom(ctx), "manage_access"); err != nil {
			return core.E("tables.planAbove", err)
		}
	}
	profiles, err := b.otherProfiles(tx.snap)
	if err != nil {
		return err
	}
	for _, p := range profiles {
		out.lines = append(out.lines, p.line())
	}
	roles, isNew, err := b.otherRoles(tx.snap)
	if err != nil {
		return err
	}
	for _, r := range roles {
		word := "change"
		if isNew[r.Role] {
			word = "create"
		}
		out.lines = append(out.lines, word+" role "+r.Role)
	}
	for _, folder := range slices.Sorted(maps.Keys(b.above)) {
		for _, f := range b.above[folder] {
			line, err := tx.store.definitions[folder].Plan(ctx, tx, f)
			if err != nil {
				return core.E("tables.planAbove", err)
			}
			if line != "" {
				out.lines = append(out.lines, line)
			}
		}
	}
	for _, name := range b.drop.Roles {
		if _, ok := roleNamed(tx, name); ok {
			out.lines = append(out.lines, "drop role "+name)
		}
	}
	for _, name := range b.droppedProfiles(tx.snap) {
		out.lines = append(out.lines, "drop column profile "+name)
	}
	return nil
}

// aboutAccess reports whether the files say something of roles or column profiles.
func (b *codeFiles) aboutAccess() bool {
	return len(b.roles)+len(b.drop.Roles)+len(b.profiles)+len(b.drop.Profiles) > 0
}

func roleNamed(tx *Tx, name string) (core.ID, bool) {
	for _, r := range tx.snap.access.Roles {
		if r.Name == name {
			return r.ID, true
		}
	}
	return "", false
}

// applyCode makes what there is that of the files, in the unit of work: first tables, then roles, then what is above,
// then what is dropped. What the files do not name stays.
func (a access) applyCode(ctx context.Context, tx *Tx, files []File, o ChangeOptions) (*codePlan, error) {
	b, err := a.store.readFiles(files)
	if err != nil {
		return nil, err
	}
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "define_tables"); err != nil {
		return nil, err
	}
	out := &codePlan{Plan: &Plan{Version: tx.snap.Schema.Version()}}
	changes, err := b.changes(tx.snap.Schema)
	if err == nil {
		err = out.change(ctx, tx, o, changes)
	}
	if err == nil {
		err = a.applyRoles(ctx, tx, b, out)
	}
	if err != nil {
		return nil, err
	}
	for _, folder := range slices.Sorted(maps.Keys(b.above)) {
		for _, f := range b.above[folder] {
			line, err := a.store.definitions[folder].Plan(ctx, tx, f)
			if err != nil {
				return nil, err
			}
			if line == "" {
				continue
			}
			if err := a.store.definitions[folder].Apply(ctx, tx, f); err != nil {
				return nil, core.E("tables.applyCode", err, f.Path+": "+core.AsError(err).Msg)
			}
			out.lines = append(out.lines, line)
		}
	}
	if changes, err = b.drop.drops(tx.snap.Schema); err != nil {
		return nil, err
	}
	return out, out.change(ctx, tx, o, changes)
}

// change makes changes of the schema, and adds them to what was done.
func (p *codePlan) change(ctx context.Context, tx *Tx, o ChangeOptions, changes []core.Change) error {
	if len(changes) == 0 {
		return nil
	}
	done, err := tx.ChangeWith(ctx, o, changes...)
	if err != nil {
		return err
	}
	for _, c := range changes {
		p.lines = append(p.lines, describe(c))
	}
	p.Steps = append(p.Steps, done.Steps...)
	p.Statements = append(p.Statements, done.Statements...)
	p.Dependants = append(p.Dependants, done.Dependants...)
	p.Rules = append(p.Rules, done.Rules...)
	return nil
}

func (a access) applyRoles(ctx context.Context, tx *Tx, b *codeFiles, out *codePlan) error {
	if !b.aboutAccess() {
		return nil
	}
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), "manage_access"); err != nil {
		return core.E("tables.applyRoles", err)
	}
	if err := a.applyProfiles(ctx, tx, b, out); err != nil {
		return core.E("tables.applyRoles", err)
	}
	roles, isNew, err := b.otherRoles(tx.snap)
	if err != nil {
		return err
	}
	var gone []string
	for _, name := range b.drop.Roles {
		if _, ok := roleNamed(tx, name); ok {
			gone = append(gone, name)
		}
	}
	dropped := b.droppedProfiles(tx.snap)
	if len(roles)+len(gone)+len(dropped) == 0 {
		return nil
	}
	tx.AfterCommit(a.logins.Forget)
	for _, r := range roles {
		word := "change"
		if isNew[r.Role] {
			word = "create"
		}
		out.lines = append(out.lines, word+" role "+r.Role)
	}
	for len(roles) > 0 {
		n := independent(roles)
		err := a.inPolicy(ctx, tx, func(g *gorm.DB) error {
			for _, r := range roles[:n] {
				if err := a.putFile(ctx, tx, g, r); err != nil {
					return core.E("tables.applyRoles", err, fmt.Sprintf("%s%s.yaml: %s", roleFolder, r.Role, core.AsError(err).Msg))
				}
			}
			return nil
		})
		if err != nil {
			return core.E("tables.applyRoles", err)
		}
		roles = roles[n:]
	}
	for _, name := range gone {
		out.lines = append(out.lines, "drop role "+name)
		if err := a.inPolicy(ctx, tx, func(g *gorm.DB) error { return a.dropNamed(ctx, tx, g, name) }); err != nil {
			return core.E("tables.applyRoles", err)
		}
	}
	for _, name := range dropped {
		out.lines = append(out.lines, "drop column profile "+name)
		if err := a.inPolicy(ctx, tx, func(g *gorm.DB) error { return a.dropProfileNamed(ctx, tx, g, name) }); err != nil {
			return core.E("tables.applyRoles", err)
		}
	}
	return nil
}

// inPolicy runs f, which changes the policy, so that what comes after it sees the new one.
// independent returns how many of the first roles include none of each other, so that one policy can be made for all of them.
func independent(roles []roleFile) int {
	for i, r := range roles {
		for _, before := range roles[:i] {
			if slices.Contains(r.Inherits, before.Role) {
				return i
			}
		}
	}
	return len(roles)
}

func (a access) inPolicy(ctx context.Context, tx *Tx, f func(g *gorm.DB) error) error {
	return tx.ChangePolicy(ctx, func() error { return f(tx.DB().Gorm(ctx)) })
}

var fileFields = []core.Column{
	required(text("path", "tables/customer.yaml, roles/clerk.yaml, flows/thank.yaml or drop.yaml.")),
	required(core.Column{Name: "text", Kind: core.LongText, Doc: "YAML."}),
}

var filesInput = required(core.Column{Name: "files", Kind: core.Object, List: true, Fields: fileFields, Doc: "The files. What they do not name stays."})

var codeOutput = append([]core.Column{{Name: "changes", Kind: core.Text, List: true, Doc: "What is done, a line each; none when everything is as the files say."}},
	slices.DeleteFunc(slices.Clone(planOutput), func(c core.Column) bool { return c.Name == "plan" })...)

var codeExample = core.Record{"files": []any{map[string]any{"path": "tables/shop.yaml", "text": "name: shop\ncolumns:\n  - name: city\n    kind: text\n"}}}

func filesOf(c core.Call) (files []File, err error) {
	var in []struct{ Path, Text string }
	if err := decodeInput(c.In["files"], &in); err != nil {
		return nil, err
	}
	for _, f := range in {
		files = append(files, File(f))
	}
	return files, nil
}

// codeActions are schema as code.
func (a access) codeActions() []core.Action {
	return []core.Action{{
		Name: "export_schema", Doc: "Writes the schema as files: a table, a role, a flow in each. The same schema gives the same files, to the byte.",
		Privilege: "define_tables",
		Output:    []core.Column{{Name: "files", Kind: core.Object, List: true, Required: true, Fields: fileFields, Doc: "The files, by path."}},
		Examples:  []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			list := []any{}
			err := a.store.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				files, err := a.store.export(ctx, tx)
				for _, f := range files {
					list = append(list, map[string]any{"path": f.Path, "text": f.Text})
				}
				return err
			})
			if err != nil {
				return nil, core.E("tables.export_schema", err)
			}
			return core.Record{"files": list}, nil
		},
	}, {
		Name: "plan_schema", Doc: "Compares files with the schema and tells what apply_schema would do. Nothing is done.",
		Privilege: "define_tables", Input: []core.Column{filesInput}, Output: codeOutput, Examples: []core.Example{{In: codeExample}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return a.code(ctx, c, "tables.plan_schema", TxOptions{}, func(ctx context.Context, tx *Tx, files []File) (*codePlan, error) {
				return a.store.planCode(ctx, tx, files)
			})
		},
	}, {
		Name: "apply_schema", Doc: "Makes the schema that of the files, all of it or nothing. Applying twice changes nothing; what the files do not name is never deleted, but for what drop.yaml lists.",
		Privilege: "define_tables", Define: true,
		Input: []core.Column{filesInput,
			{Name: "version", Kind: core.Integer, Doc: "The version of the schema that was planned for; another one refuses the files."},
			{Name: "may_block", Kind: core.Boolean, Doc: "Whether writers of a table with more than 20,000 records may wait while it is read or written."}},
		Output: codeOutput, Examples: []core.Example{{In: codeExample}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			return a.code(ctx, c, "tables.apply_schema", TxOptions{Define: true}, func(ctx context.Context, tx *Tx, files []File) (*codePlan, error) {
				if v := c.Int("version", 0); v != 0 && v != tx.snap.Schema.Version() {
					return nil, core.E("tables.apply_schema", core.Conflict, "the schema has changed since it was planned: plan again")
				}
				return a.applyCode(ctx, tx, files, ChangeOptions{MayBlock: c.Bool("may_block"), Rules: true})
			})
		},
	}}
}

func (a access) code(ctx context.Context, c core.Call, op string, o TxOptions, f func(context.Context, *Tx, []File) (*codePlan, error)) (core.Record, error) {
	files, err := filesOf(c)
	var p *codePlan
	if err == nil {
		err = a.store.Tx(ctx, o, func(ctx context.Context, tx *Tx) error {
			p, err = f(ctx, tx, files)
			if err == nil {
				p.Version = tx.snap.Schema.Version()
			}
			return err
		})
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	return p.record(), nil
}
