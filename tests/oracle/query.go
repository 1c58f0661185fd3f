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
}

type form int

const (
	list form = iota
	one
	aggregate
)

const defaultLimit = 100

// field is one key of an answer. Exactly one of column, text, rank, union, query and function is set.
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
}

type order struct {
	column     string
	rank       bool
	relation   []string
	desc       bool
	nullsFirst bool
	nullsSet   bool
}

// cond is a condition: and, or, not, compare, related or search.
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
	search struct{ text string }
)

func (and) isCond()     {}
func (or) isCond()      {}
func (not) isCond()     {}
func (compare) isCond() {}
func (related) isCond() {}
func (search) isCond()  {}
