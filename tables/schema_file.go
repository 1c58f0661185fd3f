package tables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
)

// File is one file of a schema as code.
type File struct {
	Path string // tables/customer.yaml
	Text string
}

// The folders, and the file that says what is to be dropped.
const (
	optionFolder    = "options/"
	classFolder     = "classes/"
	operationFolder = "operations/"
	tableFolder     = "tables/"
	roleFolder      = "roles/"

	profileFolder = "profiles/"
	dropFile      = "drop.yaml"
)

// encodeFile writes v, which has a JSON form, as YAML: keys in the order of the struct, blocks, two spaces.
func encodeFile(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(raw, &n); err != nil { // JSON is YAML, in another style
		return "", err
	}
	plainStyle(&n)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return "", err
	}
	return b.String(), e.Close()
}

func plainStyle(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.Contains(n.Value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	if n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return c.Kind != yaml.ScalarNode }) {
		n.Style = yaml.FlowStyle // a list of names fits on a line
	}
	for _, c := range n.Content {
		plainStyle(c)
	}
}

// decodeFile reads YAML as what JSON knows: objects, lists, texts, numbers, true, false and null.
func decodeFile(f File) (map[string]any, error) {
	const op = "tables.decodeFile"
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(f.Text), &n); err != nil {
		return nil, core.E(op, core.Invalid, f.Path+": this is no YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), err)
	}
	if len(n.Content) == 0 {
		return nil, core.E(op, core.Invalid, f.Path+": the file is empty")
	}
	v, err := plainValue(n.Content[0])
	if err != nil {
		return nil, core.E(op, core.Invalid, f.Path+": "+err.Error(), err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, core.E(op, core.Invalid, f.Path+": the file is an object of names and values")
	}
	return m, nil
}

func plainValue(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			if _, ok := out[k]; ok {
				return nil, fmt.Errorf("line %d: %q is there twice", n.Content[i].Line, k)
			}
			v, err := plainValue(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[k] = v
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := plainValue(c)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case yaml.ScalarNode:
		switch n.Tag {
		case "!!null":
			return nil, nil
		case "!!bool":
			return strings.EqualFold(n.Value, "true"), nil
		case "!!int", "!!float":
			if json.Valid([]byte(n.Value)) {
				return json.Number(n.Value), nil
			}
			return nil, fmt.Errorf("line %d: %s is no number as JSON has it: put quotes around a text", n.Line, n.Value)
		}
		return n.Value, nil
	}
	return nil, fmt.Errorf("line %d: anchors and aliases are no part of a definition: write the value out", n.Line)
}

// strictly reads a decoded file into a struct with JSON tags.
func strictly(f File, v, out any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return core.E("tables.strictly", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		if of := new(core.Error); errors.As(err, &of) { // a value says what is wrong with it
			return core.E("tables.strictly", err, f.Path+": "+of.Msg)
		}
		return core.E("tables.strictly", core.Invalid, f.Path+": "+strings.TrimPrefix(err.Error(), "json: "), err)
	}
	return nil
}

// tableFile is a table in a file.
type tableFile struct {
	core.Table
	was     string
	columns map[string]columnNote
	parts   map[core.Part]map[string]string // what keys, indexes and rules were called, by their names
	search  bool                            // the file says what is searched
}

// columnNote is what a file says of a column besides its definition.
type columnNote struct{ was, onLoss, backfill string }

func readTable(f File) (*tableFile, error) {
	m, err := decodeFile(f)
	if err != nil {
		return nil, err
	}
	out := &tableFile{was: take(m, "was"), columns: map[string]columnNote{}, parts: map[core.Part]map[string]string{}}
	_, out.search = m["search"]
	for c := range objects(m["columns"]) {
		name, _ := c["name"].(string)
		out.columns[name] = columnNote{take(c, "was"), take(c, "on_loss"), take(c, "backfill")}
	}
	for part, key := range map[core.Part]string{core.PartKey: "keys", core.PartIndex: "indexes", core.PartRule: "rules", core.PartDuplicate: "duplicates"} {
		out.parts[part] = map[string]string{}
		for p := range objects(m[key]) {
			name, _ := p["name"].(string)
			if was := take(p, "was"); was != "" {
				out.parts[part][name] = was
			}
		}
	}
	for _, kept := range []string{"physical", "dropped", "dropped_at", "purged", "spent", "had_owners"} {
		if _, ok := m[kept]; ok {
			return nil, core.E("tables.readTable", core.Invalid, f.Path+": "+kept+" is kept by Colonnade: leave it out")
		}
	}
	if err := strictly(f, m, &out.Table); err != nil {
		return nil, err
	}
	if want := tableFolder + out.Name + ".yaml"; f.Path != want {
		return nil, core.E("tables.readTable", core.Invalid, fmt.Sprintf("%s: the table is named %q: call the file %s", f.Path, out.Name, want))
	}
	plainColumns(out.Columns)
	return out, nil
}

func readOptions(f File) (o core.OptionSet, err error) {
	err = readCalled(f, optionFolder, "option set", &o, &o.Name)
	return o, err
}

func readClass(f File) (c core.DataClass, err error) {
	err = readCalled(f, classFolder, "data class", &c, &c.Name)
	return c, err
}

// readCalled reads a definition whose file is called like it.
func readCalled(f File, folder, what string, into any, name *string) error {
	m, err := decodeFile(f)
	if err == nil {
		err = strictly(f, m, into)
	}
	if want := folder + *name + ".yaml"; err == nil && f.Path != want {
		err = core.E("tables.readCalled", core.Invalid, fmt.Sprintf("%s: the %s is named %q: call the file %s", f.Path, what, *name, want))
	}
	return err
}

// take removes a text from a decoded object and returns it.
func take(m map[string]any, name string) string {
	v, ok := m[name]
	if !ok {
		return ""
	}
	delete(m, name)
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// objects yields the objects of a decoded list.
func objects(v any) func(func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		list, _ := v.([]any)
		for _, item := range list {
			if m, ok := item.(map[string]any); ok && !yield(m) {
				return
			}
		}
	}
}

// plainDefinition is the definition without what the database alone knows.
func plainDefinition(t *core.Table) core.Table {
	out := core.Definition(t)
	out.Physical, out.Dropped, out.Spent, out.HadOwners = "", nil, nil, false
	out.Columns = slices.Clone(out.Columns)
	plainColumns(out.Columns)
	return out
}

// plainColumns takes away what the database alone knows, and options that an option set has.
func plainColumns(columns []core.Column) {
	for i := range columns {
		columns[i].Physical, columns[i].StoredSince = "", nil
		if columns[i].OptionSet != "" {
			columns[i].Options = nil
		}
	}
}

// exportTables returns the files of the option sets, the data classes, the operations and the tables, by name.
func exportTables(s *core.Schema) ([]File, error) {
	var out []File
	for _, o := range s.OptionSets() {
		text, err := encodeFile(o)
		if err != nil {
			return nil, core.E("tables.exportTables", err)
		}
		out = append(out, File{optionFolder + o.Name + ".yaml", text})
	}
	for _, c := range s.DataClasses() {
		text, err := encodeFile(c)
		if err != nil {
			return nil, core.E("tables.exportTables", err)
		}
		out = append(out, File{classFolder + c.Name + ".yaml", text})
	}
	operations, err := exportOperations(s)
	if err != nil {
		return nil, err
	}
	out = append(out, operations...)
	for _, t := range s.Tables() {
		if t.Builtin {
			continue
		}
		text, err := encodeFile(plainDefinition(t))
		if err != nil {
			return nil, core.E("tables.exportTables", core.At{Table: t.Name}, err)
		}
		out = append(out, File{tableFolder + t.Name + ".yaml", text})
	}
	return out, nil
}

// dropList is what is dropped: columns, keys, indexes and rules of either kind as table.name.
type dropList struct {
	Tables     []string `json:"tables,omitempty"`
	Columns    []string `json:"columns,omitempty"`
	Keys       []string `json:"keys,omitempty"`
	Indexes    []string `json:"indexes,omitempty"`
	Rules      []string `json:"rules,omitempty"`
	Duplicates []string `json:"duplicates,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	Profiles   []string `json:"column_profiles,omitempty"`
	Options    []string `json:"options,omitempty"`
	Classes    []string `json:"data_classes,omitempty"`
	Operations []string `json:"operations,omitempty"`
}

// codeFiles is a schema as code, read.
type codeFiles struct {
	options        []core.OptionSet
	classes        []core.DataClass
	operations     []core.Operation
	onlyRegistered *bool // what the file of it says; nil without
	tables         []*tableFile
	roles          []roleFile

	profiles []profileFile
	above    map[string][]File // by folder: for those who keep other definitions
	drop     dropList
}

// readFiles reads a schema as code. The first mistake refuses all of it.
func (s *Store) readFiles(files []File) (*codeFiles, error) {
	const op = "tables.readFiles"
	b := &codeFiles{above: map[string][]File{}}
	seen := map[string]bool{}
	for _, f := range files {
		if seen[f.Path] {
			return nil, core.E(op, core.Invalid, f.Path+": the file is there twice")
		}
		seen[f.Path] = true
		folder, _ := path.Split(f.Path)
		switch {
		case folder == tableFolder:
			t, err := readTable(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.tables = append(b.tables, t)
		case folder == optionFolder:
			o, err := readOptions(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.options = append(b.options, o)
		case folder == classFolder:
			c, err := readClass(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.classes = append(b.classes, c)
		case folder == operationFolder:
			o, err := readOperation(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.operations = append(b.operations, o)
		case f.Path == operationsFile:
			on, err := readOperations(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.onlyRegistered = &on
		case folder == roleFolder:
			r, err := readRole(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.roles = append(b.roles, r)
		case folder == profileFolder:
			p, err := readProfile(f)
			if err != nil {
				return nil, core.E(op, err)
			}
			b.profiles = append(b.profiles, p)
		case f.Path == dropFile:
			m, err := decodeFile(f)
			if err == nil {
				err = strictly(f, m, &b.drop)
			}
			if err != nil {
				return nil, core.E(op, err)
			}
		case s.definitions[folder] != nil:
			b.above[folder] = append(b.above[folder], f)
		default:
			return nil, core.E(op, core.Invalid, f.Path+": there is no such place: files are in options/, classes/, operations/, tables/, profiles/, roles/, flows/ and settings/, and drop.yaml")
		}
	}
	slices.SortFunc(b.tables, func(x, y *tableFile) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(b.profiles, func(x, y profileFile) int { return strings.Compare(x.Profile, y.Profile) })
	slices.SortFunc(b.roles, func(x, y roleFile) int { return strings.Compare(x.Role, y.Role) })
	return b, nil
}
