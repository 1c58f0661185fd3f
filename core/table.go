package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Column describes one column of a table, or one argument of an action.
type Column struct {
	Name  string `json:"name"`
	Label string `json:"label,omitempty"`
	Doc   string `json:"doc,omitempty"`
	Kind  Kind   `json:"kind"`

	Required   bool             `json:"required,omitempty"`
	Unique     bool             `json:"unique,omitempty"`
	Default    string           `json:"default,omitempty"`     // an expression, evaluated when a record is created without the column
	Formula    string           `json:"formula,omitempty"`     // an expression; the column is calculated when it is not empty
	Stored     bool             `json:"stored,omitempty"`      // of a calculated column: the database keeps its values
	MinLength  int              `json:"min_length,omitempty"`  // of a text, in characters
	MaxLength  int              `json:"max_length,omitempty"`  // of a text, in characters; [MaxText] when 0
	Format     Format           `json:"format,omitempty"`      // of a text
	Region     string           `json:"region,omitempty"`      // of a telephone number: the country of numbers without one, such as DE
	Pattern    string           `json:"pattern,omitempty"`     // of a text: the regular expression (RE2) that the whole text matches
	Message    string           `json:"message,omitempty"`     // of a pattern: what the writer of another text reads
	Min        *decimal.Decimal `json:"min,omitempty"`         // of a number
	Max        *decimal.Decimal `json:"max,omitempty"`         // of a number
	Precision  int              `json:"precision,omitempty"`   // of a decimal, in digits; at most 38
	Scale      int              `json:"scale,omitempty"`       // of a decimal, digits after the point
	Options    []Option         `json:"options,omitempty"`     // of a choice, of choices, of a status
	OptionSet  string           `json:"option_set,omitempty"`  // of a choice or choices: the [OptionSet] that the options are taken from
	Template   string           `json:"template,omitempty"`    // of an autonumber, such as INV-{DATE:yyyy}-{SEQ:5}; {SEQ} when empty
	Seed       int64            `json:"seed,omitempty"`        // of an autonumber: the first number; 1 when 0
	Step       int64            `json:"step,omitempty"`        // of an autonumber: from one number to the next; 1 when 0
	Gapless    bool             `json:"gapless,omitempty"`     // of an autonumber: numbers are given back by what fails, and are drawn one transaction after the other
	MaxSize    int64            `json:"max_size,omitempty"`    // of a file or an image, in bytes; what the server takes when 0
	MediaTypes []string         `json:"media_types,omitempty"` // of a file or an image: those that are taken, such as application/pdf or image/*; all when empty
	MaxPixels  int64            `json:"max_pixels,omitempty"`  // of an image: width times height; [DefaultPixels] when 0
	Target     string           `json:"target,omitempty"`      // of a lookup: the table
	Targets    []string         `json:"targets,omitempty"`     // of a lookup of several tables: the tables
	Of         string           `json:"of,omitempty"`          // the lookup of several tables whose table the column holds, or the amount beside which it is
	Relation   string           `json:"relation,omitempty"`    // of a lookup: the field that leads to the record
	Inverse    string           `json:"inverse,omitempty"`     // of a lookup: the field of the target that leads back
	OnDelete   OnDelete         `json:"on_delete,omitempty"`   // of a lookup: what happens when the target goes
	OnAssign   OnAssign         `json:"on_assign,omitempty"`   // of a lookup: whether the record goes along when the target gets another owner

	Secured bool   `json:"secured,omitempty"` // only a column profile gives it: see authz.ColumnProfile
	Mask    string `json:"mask,omitempty"`    // of a secured column: what who may read it masked sees in its place, an expression over [MaskValue]

	Classes []string `json:"classes,omitempty"` // the data classes that it carries: see [DataClass]

	InheritShares bool `json:"inherit_shares,omitempty"` // of a lookup: who the record that it leads to is shared with, reaches this one too

	Rights Rights `json:"rights,omitempty"` // of a calculated column: with whose rights it reads other records; the reader's when empty

	Physical string `json:"physical,omitempty"` // see [Column.SQL]; the name when empty

	// StoredSince is when a calculated column was stored again, or came back, after it was not: what versions from before have is what
	// it was when they were written, and no change of it since.
	StoredSince *time.Time `json:"stored_since,omitempty"`

	Part   string   `json:"-"` // the column that this one comes and goes with; it is not in a definition
	System bool     `json:"-"` // kept by Colonnade, not by writers
	List   bool     `json:"-"` // of an action's argument: several values
	Fields []Column `json:"-"` // of an object: its members

	limits *limits // compiled by check
}

// Rights says whose rights count for what a calculated column reads of other records.
type Rights string

// With ReaderRights, the value is computed from what its reader may read, and is NULL where he may not read a record that a
// lookup leads to. With DefinerRights it is computed from everything, for all who may read the column.
const (
	ReaderRights  Rights = "reader"
	DefinerRights Rights = "definer"
)

// OnDelete says what becomes of a record when the one that it looks up is deleted.
type OnDelete string

// What a lookup does; the zero value is Restrict.
const (
	Restrict OnDelete = "restrict" // the delete is refused
	SetNull  OnDelete = "set_null"
	Cascade  OnDelete = "cascade" // the record goes too
)

// Ownership says whether the records of a table belong to users.
type Ownership string

// With UserOwned, records have owner_id and unit_id, and the access levels below the whole organisation apply.
const (
	UserOwned Ownership = "user"
	OrgOwned  Ownership = "organization"
)

// Table describes one table.
type Table struct {
	Name       string          `json:"name"`
	Label      string          `json:"label,omitempty"`
	Doc        string          `json:"doc,omitempty"`
	Ownership  Ownership       `json:"ownership,omitempty"` // UserOwned when empty
	Columns    []Column        `json:"columns"`             // without the system columns in a definition, with them in a schema
	Keys       []Key           `json:"keys,omitempty"`
	Indexes    []Index         `json:"indexes,omitempty"`
	Rules      []Rule          `json:"rules,omitempty"`
	Search     []SearchColumn  `json:"search,omitempty"` // what full-text search looks at
	Duplicates []DuplicateRule `json:"duplicates,omitempty"`
	Retention  *Retention      `json:"retention,omitempty"`
	AuditReads bool            `json:"audit_reads,omitempty"` // who reads which records is kept in the access log
	Hierarchy  bool            `json:"hierarchy,omitempty"`   // who is above its owner reaches a record, see package authz
	Link       *Link           `json:"link,omitempty"`        // of a table that joins two others
	Physical   string          `json:"physical,omitempty"`    // see [Table.SQL]; the name when empty

	KeepPreviousOwner bool            `json:"keep_previous_owner,omitempty"` // a record that is given away is shared with whom it belonged to
	ShareTemplates    []ShareTemplate `json:"share_templates,omitempty"`

	Dropped   []Dropped  `json:"dropped,omitempty"`    // what of the table can be brought back
	DroppedAt *time.Time `json:"dropped_at,omitempty"` // of a table that was dropped; it is in no schema but to be brought back
	Purged    bool       `json:"purged,omitempty"`     // of a dropped table: nothing is left of it but that it was
	Spent     []string   `json:"spent,omitempty"`      // physical names of columns that are gone for good
	HadOwners bool       `json:"had_owners,omitempty"` // the records belonged to users once, and the database knows to whom

	// Builtin tables are declared by a package, not by an app builder; their names start with an underscore.
	// They keep neither history nor events, and only the System caller writes them.
	Builtin bool `json:"-"`

	index map[string]int
	held  []held // what is checked of the values of keys
}

// Index makes conditions and sort orders over its columns fast. Unique columns, keys, lookups and owners have one already.
type Index struct {
	Name    string        `json:"name"`
	Columns []IndexColumn `json:"columns"`
}

// IndexColumn is one column of an index, in ascending order unless Desc.
type IndexColumn struct {
	Column string `json:"column"`
	Desc   bool   `json:"desc,omitempty"`
}

// SystemColumns returns the columns that every table of that ownership has, in their order.
func SystemColumns(o Ownership) []Column {
	cols := []Column{
		{Name: "id", Kind: UUID, Required: true, System: true, Doc: "The primary key."},
		{Name: "version", Kind: Integer, Required: true, System: true, Doc: "Rises by one with every change of the record."},
		{Name: "created_at", Kind: Timestamp, Required: true, System: true, Doc: "When the record was created."},
		{Name: "created_by", Kind: UUID, Required: true, System: true, Doc: "The user who created the record."},
		{Name: "updated_at", Kind: Timestamp, Required: true, System: true, Doc: "When the record was last changed."},
		{Name: "updated_by", Kind: UUID, Required: true, System: true, Doc: "The user who last changed the record."},
	}
	if o != OrgOwned {
		cols = append(cols,
			Column{Name: "owner_id", Kind: UUID, Required: true, System: true, Doc: "The user or team that the record belongs to."},
			Column{Name: "unit_id", Kind: UUID, Required: true, System: true, Doc: "The business unit that the record belongs to."})
	}
	return cols
}

// Column returns the column of that name.
func (t *Table) Column(name string) (*Column, bool) {
	if t.index != nil {
		i, ok := t.index[name]
		if !ok {
			return nil, false
		}
		return &t.Columns[i], true
	}
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &t.Columns[i], true
}

// Need returns the column of that name, or an error that names the nearest one.
func (t *Table) Need(name string) (*Column, error) {
	if c, ok := t.Column(name); ok {
		return c, nil
	}
	msg := "there is no such column"
	have := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		have[i] = c.Name
	}
	if s := Suggest(name, have); s != "" {
		msg += "; did you mean " + s + "?"
	}
	return nil, E("core.Need", Invalid, At{Table: t.Name, Column: name}, msg)
}

// Owned reports whether the records of t belong to users.
func (t *Table) Owned() bool { return t.Ownership != OrgOwned }

// Calculated reports whether the column has a formula, so that nobody writes it.
func (c *Column) Calculated() bool { return c.Formula != "" }

// Virtual reports whether the column is calculated when it is read, so that the database has no such column.
func (c *Column) Virtual() bool { return c.Calculated() && !c.Stored }

// Stored yields the columns that the database keeps, which are all but the virtual ones.
func (t *Table) Stored(yield func(*Column) bool) {
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Virtual() && !yield(c) {
			return
		}
	}
}

// Normalize brings every value of r into the Go form of its column, in place.
// A name that is no column of t is an error.
func (t *Table) Normalize(r Record) error {
	for name, v := range r {
		c, err := t.Need(name)
		if err != nil {
			return err
		}
		if r[name], err = c.Parse(v); err != nil {
			return E("core.Normalize", At{Table: t.Name}, err)
		}
	}
	return nil
}

// AppendJSON appends r as a JSON object with the keys in the order of the columns.
func (t *Table) AppendJSON(b []byte, r Record) []byte {
	if r == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	comma := false
	for i := range t.Columns {
		c := &t.Columns[i]
		v, ok := r[c.Name]
		if !ok {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(append(append(b, '"'), c.Name...), '"', ':')
		b = c.AppendJSON(b, v)
	}
	return append(b, '}')
}

// check finds what is wrong with t by itself; lookups are checked by the schema.
func (t *Table) check() error {
	const op = "core.Table"
	at := At{Table: t.Name}
	if !t.Builtin {
		if err := checkTableName(t.Name); err != nil {
			return E(op, at, err)
		}
	}
	if t.Ownership != UserOwned && t.Ownership != OrgOwned {
		return E(op, Invalid, at, fmt.Sprintf("ownership is %q: choose user or organization", t.Ownership))
	}
	if len(t.Columns) > 500 {
		return E(op, Limit, at, "a table has at most 500 columns")
	}
	seen := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		at := At{Table: t.Name, Column: c.Name}
		if seen[c.Name] {
			if isSystem(c.Name) {
				return E(op, Exists, at, "every table has this column already; choose another name")
			}
			return E(op, Exists, at, "the table has two columns of this name")
		}
		seen[c.Name] = true
		if err := c.check(); err != nil {
			return E(op, at, err)
		}
	}
	if err := t.checkKeys(); err != nil {
		return err
	}
	for _, x := range t.Indexes {
		if err := CheckName("index", x.Name); err != nil {
			return E(op, at, err)
		}
		for _, ic := range x.Columns {
			c, err := t.Need(ic.Column)
			if err != nil {
				return err
			}
			if c.Virtual() {
				return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "a calculated column is part of an index only when it is stored: set stored")
			}
			if c.Kind == JSON || c.Kind == Choices || c.Kind == File || c.Kind == Image {
				return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "a column of several values, of files or of JSON cannot be part of an index")
			}
		}
		if len(x.Columns) == 0 {
			return E(op, Invalid, at, "index "+x.Name+" names no column")
		}
	}
	if err := t.checkRules(); err != nil {
		return err
	}
	if err := t.checkDuplicates(); err != nil {
		return err
	}
	if err := t.checkTargets(); err != nil {
		return err
	}
	if err := t.checkMoney(); err != nil {
		return err
	}
	if err := t.checkSearch(); err != nil {
		return err
	}
	if err := t.checkRetention(); err != nil {
		return err
	}
	if t.Hierarchy && !t.Owned() {
		return E(op, Invalid, At{Table: t.Name}, "hierarchy is about whom records belong to, and those of this table belong to the organization: leave it out, or set the ownership to user")
	}
	if err := t.checkShares(); err != nil {
		return err
	}
	return t.checkLink()
}

func isSystem(name string) bool {
	return slices.ContainsFunc(SystemColumns(UserOwned), func(c Column) bool { return c.Name == name })
}

func (c *Column) check() error {
	const op = "core.Column"
	if !c.System {
		if err := checkColumnName(c.Name); err != nil {
			return err
		}
	}
	if !c.Kind.Known() || c.Kind == Object {
		all := make([]string, 0, len(kinds))
		for _, k := range Kinds() {
			all = append(all, string(k))
		}
		return E(op, Invalid, fmt.Sprintf("%q is no kind; there are: %s", c.Kind, strings.Join(all, ", ")))
	}
	problem := ""
	switch {
	case c.Kind == Decimal && !c.Kept() && (c.Precision < 1 || c.Precision > 38 || c.Scale < 0 || c.Scale > c.Precision):
		problem = "a decimal has a precision of 1 to 38 digits, and a scale of at most that many"
	case c.Kind != Decimal && (c.Precision != 0 || c.Scale != 0):
		problem = "only a decimal has a precision and a scale"
	case c.Kind == Currency && (c.Unique || c.Default != ""):
		problem = "an amount of money is not unique and has no default: its currency is in another column"
	case c.Kind == Lookup && c.Target == "":
		problem = "a lookup needs a target table"
	case c.Kind == AnyLookup && (len(c.Targets) == 0 || c.Target != ""):
		problem = "a lookup of several tables needs targets, a list of tables"
	case c.Kind != AnyLookup && len(c.Targets) > 0:
		problem = "only a lookup of several tables, an any_lookup, has targets"
	case c.Kind == AnyLookup && (c.Unique || c.Default != ""):
		problem = "a lookup of several tables is not unique and has no default"
	case c.Kind != Lookup && c.Kind != AnyLookup && (c.Target != "" || c.Relation != "" || c.Inverse != "" || c.OnDelete != ""):
		problem = "only a lookup has a target, a relation, an inverse and on_delete"
	case c.Kind != Lookup && c.Kind != AnyLookup && c.OnAssign != "":
		problem = "only a lookup has on_assign"
	case !slices.Contains([]OnAssign{"", AssignNone, AssignAll, AssignOwned, AssignActive}, c.OnAssign):
		problem = "on_assign is one of none, all, owned, active"
	case c.Kind != Lookup && c.InheritShares:
		problem = "shares are inherited by a lookup of one table: leave inherit_shares out"
	case !slices.Contains([]OnDelete{"", Restrict, SetNull, Cascade}, c.OnDelete):
		problem = "on_delete is one of restrict, set_null, cascade"
	case c.Required && c.OnDelete == SetNull:
		problem = "a required lookup cannot be set to null: choose restrict or cascade"
	case c.Stored && !c.Calculated():
		problem = "stored is said of a calculated column: give it a formula, or leave stored out"
	case c.Calculated() && (c.Required || c.Default != ""):
		problem = "a calculated column is not required and has no default"
	case c.Virtual() && c.Unique:
		problem = "a calculated column is unique only when it is stored: set stored"
	case c.Calculated() && c.Part == "" && (c.Kind == Lookup || c.Kind == AnyLookup || c.Kind == Currency || c.Kind == JSON || c.Kind == UUID || c.Kind == Autonumber || c.Kind.Info().File || c.Kind.chooses()):
		problem = "a calculated column is a text, a number, a boolean, a date, a time or a duration"
	case c.Rights != "" && !c.Calculated():
		problem = "only a calculated column has rights"
	case !slices.Contains([]Rights{"", ReaderRights, DefinerRights}, c.Rights):
		problem = "rights is one of reader, definer"
	case c.Secured && c.Of != "":
		problem = "the column is a part of " + c.Of + ": secure that one, which takes this one along"
	case len(c.Classes) > 0 && c.Of != "":
		problem = "the column is a part of " + c.Of + ": give the classes to that one, with which this one has them"
	case c.Mask != "" && !c.Secured && len(c.Classes) == 0:
		problem = "a mask is of a column that is secured or has classes: set secured too, or take the mask away"
	case c.Mask != "" && !c.Maskable():
		problem = fmt.Sprintf("a column of the kind %s has no mask: a mask is of a text, a number, a boolean, a date, a time or a duration", c.Kind)
	case c.Unique && noKey[c.Kind] != "":
		problem = fmt.Sprintf("a column of the kind %s cannot be unique: %s", c.Kind, noKey[c.Kind])
	}
	if problem == "" {
		problem = c.checkFile()
	}
	if problem == "" {
		problem = c.checkOptions()
	}
	if problem == "" {
		problem = c.compile()
	}
	if problem != "" {
		return E(op, Invalid, problem)
	}
	return nil
}
