package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/pseudonym"
	"colonnade/tables"
)

// Masking says how a masked copy is made.
type Masking struct {
	Columns []string // table.column: what is replaced besides the columns that carry a data class
	Logins  []string // addresses of users who keep their names, addresses and passwords
}

// Masked is what a masked copy holds.
type Masked struct {
	Tables, Rows int64
	Columns      []string // table.column: what was replaced
}

// Masker makes a masked copy of a database, once.
type Masker struct {
	from *Service
	snap *tables.Snapshot
	key  *pseudonym.Key
	next tables.Dumping
	out  Masked

	named  map[string]bool // columns to replace besides those of data classes: table.column
	logins map[string]bool // to keep: the addresses, in small letters

	part    tables.Part
	columns map[string]int                               // of the part, by name
	row     func(m *Masker, values [][]byte) (pass bool) // what becomes of a row; nil when it stays as it is
	by      map[string]map[string]*core.Column
	err     error
}

// Mask finds out what is replaced in a masked copy of the database. It fails with Invalid when nothing would be, or when nobody
// could sign in to the copy.
func (s *Service) Mask(ctx context.Context, o Masking) (*Masker, error) {
	const op = "transfer.Mask"
	if err := s.store.Load(ctx); err != nil {
		return nil, core.E(op, err)
	}
	m := &Masker{from: s, snap: s.store.Snapshot(), key: pseudonym.NewKey(), named: map[string]bool{}, logins: map[string]bool{}, by: map[string]map[string]*core.Column{}}
	if err := m.keep(ctx, o.Logins); err != nil {
		return nil, core.E(op, err)
	}
	for _, name := range o.Columns {
		table, column, ok := strings.Cut(name, ".")
		if !ok {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("%q names no column: write the table, a point and the column, such as customer.name", name))
		}
		t, err := m.snap.Schema.Table(table)
		if err != nil {
			return nil, core.E(op, err)
		}
		c, err := t.Need(column)
		switch {
		case err != nil:
			return nil, core.E(op, err)
		case c.Virtual():
			return nil, core.E(op, core.Invalid, core.At{Table: table, Column: column}, "the column is calculated when it is read: name what it is calculated from")
		case t.Builtin || c.System || !replaceable(c):
			return nil, core.E(op, core.Invalid, core.At{Table: table, Column: column}, "the values of this column are not replaced: they tell which record is which, and what belongs together")
		}
		m.named[name] = true
	}
	for _, t := range m.snap.Schema.Tables() {
		if !t.Builtin {
			m.find(t)
		}
	}
	slices.Sort(m.out.Columns)
	if len(m.out.Columns) == 0 {
		return nil, core.E(op, core.Invalid, "no column carries a data class, so that nothing would be replaced: say which columns are personal (alter_column with classes), or name them with --column")
	}
	return m, nil
}

// keep notes whose logins are kept.
func (m *Masker) keep(ctx context.Context, logins []string) error {
	const op = "transfer.keep"
	if len(logins) == 0 {
		return core.E(op, core.Invalid, "nobody could sign in to the copy: name an administrator whose address and password are kept, with --keep-login")
	}
	for _, l := range logins {
		m.logins[strings.ToLower(l)] = true
	}
	missing := maps.Clone(m.logins)
	d := m.from.store.DB()
	err := d.Query(ctx, db.New(d.Dialect).Write(`SELECT email FROM "_user" WHERE password_hash IS NOT NULL`), func(scan func(...any) error) error {
		var email string
		err := scan(&email)
		delete(missing, strings.ToLower(email))
		return err
	})
	if err == nil && len(missing) > 0 {
		err = core.E(op, core.NotFound, fmt.Sprintf("there is no user with the address %s and a password, whose login could be kept", slices.Min(slices.Collect(maps.Keys(missing)))))
	}
	return err
}

// MaskedCopy fills the database, which was opened with [db.Options.Fill], with what another holds, and with pseudonyms in the place of
// personal data: see docs/operations.md. Others may read and write that one meanwhile.
func (s *Service) MaskedCopy(ctx context.Context, m *Masker, watch Watch) (*Masked, error) {
	const op = "transfer.MaskedCopy"
	f, err := s.store.Fill(ctx)
	if err != nil {
		return nil, core.E(op, err)
	}
	m.next = watch.with(f)
	if err := m.from.store.Dump(ctx, m); err != nil {
		return nil, core.E(op, err)
	}
	if err := f.Finish(); err != nil {
		return nil, core.E(op, err)
	}
	if err := s.store.BeginAnew(ctx); err != nil {
		return nil, core.E(op, err)
	}
	return &m.out, core.E(op, s.store.DB().Filled(ctx))
}

// What becomes of the system tables in a masked copy. One that is named nowhere is left empty.
var (
	// definitions, rights, and what says when something happened, are copied.
	maskedKept = []string{"_table", "_option_set", "_data_class", "_meta", "_counter", "_change", "_cursor", "_deletion", "_rule_version", "_duplicate_index", "_exchange_rate",
		"_unit", "_team", "_team_member", "_role", "_policy", "_position", "_hierarchy", "_query_limit", "_column_profile", "_column_profile_holder", "_flow_version", "_file_use", "_operation"}

	// Of these, rows are left out, or values replaced.
	maskedChanged = map[string]func(m *Masker, values [][]byte) (pass bool){
		"_user": (*Masker).user, "_share": (*Masker).share, "_file": (*Masker).file, "_blob": (*Masker).blob, "_history": (*Masker).version, "_event": (*Masker).event, "_flow": (*Masker).flow,
	}

	// What lets somebody in, what somebody did, and what can be made again, is left out: sessions, keys, secrets, logs, recordings,
	// seals and the audit, which begin anew, and models, which know the values that they learned from.
	maskedEmpty = []string{"_session", "_api_key", "_secret", "_factor", "_recovery_code", "_password_reset", "_passkey", "_passkey_challenge", "_provider", "_external_login", "_provider_leave", "_attempt", "_plugin", "_credential",
		"_access_log", "_access_record", "_audit", "_seal", "_request", "_import_batch", "_import_failure", "_flow_run", "_flow_step", "_flow_wait", "_flow_signal", "_flow_schedule", "_flow_approval", "_flow_assignment", "_model", "_duplicate", "_index_build"}
)

// find notes what is replaced in a table: the columns by their physical names, nil for what is left out.
func (m *Masker) find(t *core.Table) {
	by := map[string]*core.Column{}
	m.by[t.SQL()] = by
	for i := range t.Dropped {
		if c := t.Dropped[i].Column; c != nil {
			by[c.SQL()] = nil
		}
	}
	for c := range t.Stored {
		name := t.Name + "." + c.Name
		if c.System || !replaceable(c) || len(m.snap.Rules.Classes(t.Name, c.Name)) == 0 && !m.named[name] && !m.base(t, c) {
			continue
		}
		by[c.SQL()] = c
		m.out.Columns = append(m.out.Columns, name)
	}
}

// base reports whether c is what an amount that is replaced is worth.
func (m *Masker) base(t *core.Table, c *core.Column) bool {
	return c.Of != "" && (len(m.snap.Rules.Classes(t.Name, c.Of)) > 0 || m.named[t.Name+"."+c.Of])
}

// replaceable reports whether values of the column have pseudonyms. What leads to another record goes on leading there; that one has
// its own. Of what stands beside an amount, the rate says nothing of it.
func replaceable(c *core.Column) bool {
	switch {
	case c.Kind == core.Lookup, c.Kind == core.AnyLookup, c.Kind.Info().File, c.Format == core.CurrencyCode:
		return false
	}
	return c.Of == "" || c.Kind == core.Currency
}

// Part implements [tables.Dumping].
func (m *Masker) Part(p tables.Part) error {
	m.part, m.columns, m.row = p, make(map[string]int, len(p.Columns)), nil
	for i, c := range p.Columns {
		m.columns[c.Name] = i
	}
	m.out.Tables++
	switch change := maskedChanged[p.Name]; {
	case change != nil:
		m.row = change
	case strings.HasPrefix(p.Name, "_"):
		if !slices.Contains(maskedKept, p.Name) {
			m.row = (*Masker).leave
		}
	case m.by[p.Name] == nil: // it was dropped
		m.row = (*Masker).leave
	case len(m.by[p.Name]) > 0:
		m.row = (*Masker).record
	}
	return m.next.Part(p)
}

// Row implements [tables.Dumping].
func (m *Masker) Row(values [][]byte) error {
	if m.row != nil && !m.row(m, values) {
		return m.err
	}
	m.out.Rows++
	return m.next.Row(values)
}

func (m *Masker) leave([][]byte) bool { return false }

func (m *Masker) share(values [][]byte) bool {
	values[m.columns["reason"]] = nil
	return true
}

// flow switches a flow off.
func (m *Masker) flow(values [][]byte) bool {
	values[m.columns["enabled"]] = []byte("0")
	return true
}

func (m *Masker) user(values [][]byte) bool {
	email := m.columns["email"]
	values[m.columns["second_factor"]] = []byte("0") // what it was confirmed with is not in the copy
	if m.logins[strings.ToLower(string(values[email]))] {
		return true
	}
	values[email] = []byte(m.key.Email(string(values[email])))
	values[m.columns["name"]] = []byte(m.key.Text(string(values[m.columns["name"]])))
	values[m.columns["password_hash"]] = nil
	return true
}

// file replaces the name of a file, but not what tells its type, and its address: the content is not in the copy.
func (m *Masker) file(values [][]byte) bool {
	name := string(values[m.columns["name"]])
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		dot = len(name)
	}
	values[m.columns["name"]] = []byte(m.key.Text(name[:dot]) + name[dot:])
	return m.blob(values)
}

func (m *Masker) blob(values [][]byte) bool {
	i := m.columns["sha256"]
	out := make([]byte, len(values[i]))
	for at := range out {
		out[at] = "0123456789abcdef"[m.key.Pick(16, "blob", string(values[i]), fmt.Sprint(at))]
	}
	values[i] = out
	return true
}

func (m *Masker) event(values [][]byte) bool {
	return m.by[string(values[m.columns["table_name"]])] != nil
}

// record replaces values of a row.
func (m *Masker) record(values [][]byte) bool {
	id := string(values[m.columns["id"]])
	for name, c := range m.by[m.part.Name] {
		i, ok := m.columns[name]
		if !ok || values[i] == nil {
			continue
		}
		if c == nil {
			values[i] = nil
			continue
		}
		v, err := parseForm(c, m.part.Columns[i].Form, values[i])
		if err != nil {
			m.err = core.E("transfer.masked", core.At{Table: m.part.Name, Column: c.Name}, err)
			return false
		}
		values[i] = appendForm(c, m.value(c, id, v))
	}
	return true
}

// version replaces values of a version of the history. What no column holds any more is left out.
func (m *Masker) version(values [][]byte) bool {
	by := m.by[string(values[m.columns["table_name"]])]
	if by == nil {
		return false
	}
	i, id := m.columns["data"], string(values[m.columns["record_id"]])
	if values[i] == nil {
		return true
	}
	t, _ := m.snap.Schema.At(string(values[m.columns["table_name"]]))
	out := []byte{'{'}
	gjson.ParseBytes(values[i]).ForEach(func(key, value gjson.Result) bool {
		c, replaced := by[key.Str]
		if replaced && c == nil || !replaced && !stores(t, key.Str) {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, key.Raw...), ':')
		if !replaced || value.Type == gjson.Null {
			out = append(out, value.Raw...)
			return true
		}
		v, err := parseJSON(c, value)
		if err != nil {
			m.err = core.E("transfer.masked", core.At{Table: t.Name, Column: c.Name}, err)
			return false
		}
		out = c.AppendJSON(out, m.value(c, id, v))
		return true
	})
	values[i] = append(out, '}')
	return m.err == nil
}

func stores(t *core.Table, physical string) bool {
	for c := range t.Stored {
		if c.SQL() == physical {
			return true
		}
	}
	return false
}

// bare is a column of the kind of c that takes every value of it, also such as c does not take any more.
func bare(c *core.Column) *core.Column {
	return &core.Column{Name: c.Name, Kind: c.Kind, Precision: c.Precision, Scale: c.Scale}
}

// chooses reports whether values of the column are options, which are drawn and not computed.
func chooses(c *core.Column) bool {
	return c.Kind == core.Choice || c.Kind == core.Choices || c.Kind == core.Status
}

// parseForm reads a value of a dump.
func parseForm(c *core.Column, f db.Form, text []byte) (any, error) {
	switch {
	case chooses(c):
		return bytes.Clone(text), nil
	case c.Kind == core.Boolean:
		return string(text) == "1", nil
	case c.Kind == core.Duration:
		var n int64
		_, err := fmt.Sscan(string(text), &n)
		return core.Span(n), err
	case f == db.FormJSON:
		return json.RawMessage(bytes.Clone(text)), nil
	case c.Kind == core.Float:
		return bare(c).Parse(json.Number(text))
	}
	return bare(c).Parse(string(text))
}

// parseJSON reads a value of the history.
func parseJSON(c *core.Column, v gjson.Result) (any, error) {
	switch {
	case chooses(c):
		return []byte(v.String()), nil
	case c.Kind == core.JSON:
		return json.RawMessage(v.Raw), nil
	case v.Type == gjson.Number:
		return bare(c).Parse(json.Number(v.Raw))
	case v.IsBool():
		return v.Bool(), nil
	}
	return bare(c).Parse(v.Str)
}
