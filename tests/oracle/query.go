package oracle

// query is a question about the records of a table, and those that are related with them.
type query struct {
	table         string
	form          form
	where         cond // nil for every record
	order         []order
	distinct      []string // columns in which the records differ
	after, before *place
	limit         int // 0 for the default
	offset        int
	fields        []field
	search        string // what ranks are about
	keys          []key  // of groups
	having        cond   // on groups, of which and, or, not and gathered with no relation are made
}

type form int

const (
	list form = iota
	one
	aggregate
	groups
)

const defaultLimit = 100

// field is one key of an answer. Exactly one of column, text, rank, union, query, function and key is set.
type field struct {
	as       string
	column   string
	text     string // the name of a type
	rank     bool
	cursor   bool // of which nobody knows what it is
	relation string
	union    []query // with relation
	query    *query  // with relation; without one, in an aggregate, the records themselves
	function string
	columns  []string // of count
	distinct bool
	atMost   int // of count; 0 for no limit
	key      int // of groups, counted from 1
}

type order struct {
	column     string
	rank       bool
	relation   []string
	children   string // the relation to many of whose records the value is made
	function   string // that makes it: of children, or of the records of a group
	key        int    // of groups, counted from 1
	desc       bool
	nullsFirst bool
	nullsSet   bool
}

// key is what records are grouped by.
type key struct {
	relation     []string
	column       string
	period, zone string // of a time
}

// cond is a condition: and, or, not, compare, related, gathered or search.
type cond interface{ isCond() }

type (
	and     []cond
	or      []cond
	not     struct{ cond cond }
	compare struct {
		column, op string
		value      any
	}
	related struct {
		relation, target string
		where            cond
	}
	gathered struct { // compares a value made of the records that a relation leads to, or of those of a group
		relation string
		of       field // a function
		only     cond  // nil for all of the records
		op       string
		value    any
	}
	search struct{ text string }
)

func (and) isCond()      {}
func (or) isCond()       {}
func (not) isCond()      {}
func (compare) isCond()  {}
func (related) isCond()  {}
func (gathered) isCond() {}
func (search) isCond()   {}
