package tables

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/rules"
)

// Candidate is what may stand at a place of an expression.
type Candidate struct {
	Text   string // what is written
	Kind   string // column, relation, function, aggregate, value, option
	Detail string // the type of a column, where a relation leads, how a function is called
	Doc    string
}

// Completion is what may stand at a place, in the place of the characters from From up to the place.
type Completion struct {
	From       int
	Candidates []Candidate
}

// maxCandidates is how many candidates are told.
const maxCandidates = 200

var (
	chainBefore  = regexp.MustCompile(`[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*\.?$`)
	optionBefore = regexp.MustCompile(`([\p{L}_][\p{L}\p{N}_.]*)\s*(?:==|!=|in\s*\[(?:\s*(?:'[^']*'|"[^"]*")\s*,)*)\s*(?:(['"])([^'"]*))?$`)
	localNames   = regexp.MustCompile(`([\p{L}_][\p{L}\p{N}_.]*|\))\s*\.\s*(?:count|countDistinct|sum|avg|min|max|first|last|exists|all)\(\s*([\p{L}_][\p{L}\p{N}_]*)\s*,`)
)

// CompleteExpression returns what may stand at a place of an expression over the table: position counts the characters before
// it. Columns, relations and tables are told to those who may read them, or may define tables.
func (n *Snapshot) CompleteExpression(c core.Caller, table, source string, position int) (Completion, error) {
	const op = "tables.CompleteExpression"
	text := []rune(source)
	if position < 0 || position > len(text) || len(source) > 10_000 {
		return Completion{}, core.E(op, core.Invalid, core.At{Column: "position"}, "the position is the number of characters before it: 0 up to the length of the expression, which is at most 10,000 bytes")
	}
	h := helper{snap: n, caller: c, all: n.Policy.May(c, "define_tables") == nil, before: string(text[:position])}
	t, err := n.Schema.Table(table)
	if err != nil || !h.all && h.may(table) == nil {
		return Completion{}, core.E(op, core.Denied, core.At{Table: table}, "your roles do not let you read records of this table: ask an administrator for the privilege")
	}
	typed, found := h.candidates(t)
	found = slices.DeleteFunc(found, func(x Candidate) bool { return !strings.HasPrefix(strings.ToLower(x.Text), strings.ToLower(typed)) })
	slices.SortStableFunc(found, func(a, b Candidate) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a.Text, b.Text)) })
	return Completion{From: position - len([]rune(typed)), Candidates: found[:min(len(found), maxCandidates)]}, nil
}

func rank(c Candidate) int {
	return slices.Index([]string{"option", "column", "relation", "aggregate", "value", "function"}, c.Kind)
}

// helper looks for candidates.
type helper struct {
	snap   *Snapshot
	caller core.Caller
	all    bool // the caller may know every name
	before string
}

// may returns what the caller may read of a table, nil for nothing.
func (h *helper) may(table string) *authz.Decision {
	d, err := h.snap.Policy.Decide(h.caller, table, authz.Read)
	if err != nil {
		return nil
	}
	return d
}

// candidates returns what is typed of the word at the place, and what it may become.
func (h *helper) candidates(t *core.Table) (typed string, out []Candidate) {
	if m := optionBefore.FindStringSubmatch(h.before); m != nil {
		if c := h.columnAt(t, m[1]); c != nil && len(c.Options) > 0 {
			return m[2] + m[3], options(c, cmp.Or(m[2], "'"))
		}
	}
	chain := chainBefore.FindString(h.before)
	i := strings.LastIndexByte(chain, '.')
	typed = chain[i+1:]
	if i < 0 {
		return typed, slices.Concat(h.inTable(t, false), h.locals(), words, functions())
	}
	names := strings.Split(chain[:i], ".")
	switch names[0] {
	case "caller", "user":
		if len(names) == 1 && !h.named(t, names[0]) {
			return typed, callerValues(names[0])
		}
	case "old":
		if len(names) == 1 {
			return typed, h.inTable(t, true)
		}
		names = names[1:]
	}
	to, many := h.follow(t, names)
	switch {
	case to == nil:
		return typed, nil
	case many:
		for name, usage := range rules.Aggregates() {
			out = append(out, Candidate{Text: name, Kind: "aggregate", Detail: usage})
		}
		return typed, out
	}
	return typed, h.inTable(to, false)
}

// named reports whether t has a column or relation of the name.
func (h *helper) named(t *core.Table, name string) bool {
	_, column := t.Column(name)
	_, relation := h.snap.Schema.Relation(t.Name, name)
	return column || relation
}

// follow returns the table to which names lead from t, nil where they lead nowhere that the caller may know of.
func (h *helper) follow(t *core.Table, names []string) (to *core.Table, many bool) {
	for i, name := range names {
		if local := h.local(t, name); i == 0 && local != nil {
			t = local
			continue
		}
		r, ok := h.snap.Schema.Relation(t.Name, name)
		next, err := h.snap.Schema.Table(r.Table)
		if !ok || many || err != nil || !h.leads(t, r) {
			return nil, false
		}
		t, many = next, r.Many
	}
	return t, many
}

// local returns the table of the records that an aggregate before the place gives a name to.
func (h *helper) local(t *core.Table, name string) *core.Table {
	var over string
	for _, m := range localNames.FindAllStringSubmatch(h.before, -1) {
		if m[2] == name {
			over = m[1]
		}
	}
	if over == "" || over == ")" || strings.Split(over, ".")[0] == name {
		return nil
	}
	to, _ := h.follow(t, strings.Split(over, "."))
	return to
}

// locals are the names that aggregates before the place give.
func (h *helper) locals() (out []Candidate) {
	for _, m := range localNames.FindAllStringSubmatch(h.before, -1) {
		out = append(out, Candidate{Text: m[2], Kind: "value", Detail: "a record of " + m[1]})
	}
	return out
}

// columnAt returns the column that a chain of names leads to, nil when the caller may not know of it.
func (h *helper) columnAt(t *core.Table, chain string) *core.Column {
	names := strings.Split(strings.TrimPrefix(chain, "old."), ".")
	if t, _ = h.follow(t, names[:len(names)-1]); t == nil {
		return nil
	}
	c, ok := t.Column(names[len(names)-1])
	if !ok || !h.sees(t, c) {
		return nil
	}
	return c
}

func (h *helper) sees(t *core.Table, c *core.Column) bool {
	if h.all {
		return true
	}
	may := h.may(t.Name)
	if may == nil {
		return false
	}
	visible, _ := may.Column(c.Name)
	return visible
}

// leads reports whether the caller may know of a relation of t: of the table that it leads to, and of the lookup.
func (h *helper) leads(t *core.Table, r core.Relation) bool {
	if h.all {
		return true
	}
	if h.may(r.Table) == nil {
		return false
	}
	owner := t
	if r.Many {
		name := cmp.Or(r.Through, r.Table)
		var err error
		if owner, err = h.snap.Schema.Table(name); err != nil || h.may(name) == nil {
			return false
		}
	}
	c, ok := owner.Column(r.Column)
	return ok && h.sees(owner, c)
}

// inTable are the columns and, unless only those count, the relations of t.
func (h *helper) inTable(t *core.Table, columns bool) (out []Candidate) {
	for i := range t.Columns {
		if c := &t.Columns[i]; h.sees(t, c) {
			out = append(out, Candidate{Text: c.Name, Kind: "column", Detail: kindDetail(c.Kind), Doc: cmp.Or(c.Label, c.Doc)})
		}
	}
	if columns {
		return out
	}
	for _, r := range h.snap.Schema.Relations(t.Name) {
		if h.leads(t, r) {
			detail := "a record of " + r.Table
			if r.Many {
				detail = "records of " + r.Table
			}
			out = append(out, Candidate{Text: r.Name, Kind: "relation", Detail: detail})
		}
	}
	return out
}

// kindDetail is the type of a kind, and the kind where it is called otherwise.
func kindDetail(k core.Kind) string {
	if word := rules.KindWord(k); word != string(k) {
		return word + " (" + string(k) + ")"
	}
	return string(k)
}

// options are the values of a column, in quotes.
func options(c *core.Column, quote string) (out []Candidate) {
	for _, o := range c.Options {
		if !o.Retired {
			out = append(out, Candidate{Text: quote + o.Value + quote, Kind: "option", Detail: o.Label})
		}
	}
	return out
}

var words = []Candidate{
	{Text: "true", Kind: "value", Detail: "boolean"}, {Text: "false", Kind: "value", Detail: "boolean"},
	{Text: "caller", Kind: "value", Detail: "who asks: " + strings.Join(rules.CallerFields(), ", ")},
}

func callerValues(name string) (out []Candidate) {
	for _, f := range rules.CallerFields() {
		if name == "user" && f == "user" {
			f = "id"
		}
		out = append(out, Candidate{Text: f, Kind: "value", Detail: "of who asks"})
	}
	return out
}

// functions are all functions.
func functions() (out []Candidate) {
	all := map[string]rules.Function{}
	for _, f := range rules.Functions {
		all[f.Name] = f
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Candidate{Text: name, Kind: "function", Detail: strings.Join(all[name].Signatures(), " or "), Doc: all[name].Doc})
	}
	return out
}
