package core

// Limits bound what one request may ask for. A field that is zero says nothing.
type Limits struct {
	Bytes      int `json:"bytes,omitempty"`
	Tokens     int `json:"tokens,omitempty"`
	Nesting    int `json:"nesting,omitempty"`
	Directives int `json:"directives,omitempty"`
	Aliases    int `json:"aliases,omitempty"`
	Depth      int `json:"depth,omitempty"`
	Nodes      int `json:"nodes,omitempty"`
	Roots      int `json:"roots,omitempty"`
	Terms      int `json:"terms,omitempty"`
	Rows       int `json:"rows,omitempty"`
	Seconds    int `json:"seconds,omitempty"`
}

// LimitField is one of the numbers of [Limits].
type LimitField struct {
	Name, Doc string
	Most      int // that can be allowed
	Of        func(l *Limits) *int
}

// LimitFields has a line for each field of [Limits].
var LimitFields = []LimitField{
	{"bytes", "Bytes of the document.", 1 << 20, func(l *Limits) *int { return &l.Bytes }},
	{"tokens", "Words and signs of the document.", 2000, func(l *Limits) *int { return &l.Tokens }},
	{"nesting", "Brackets within each other, of all kinds.", 100, func(l *Limits) *int { return &l.Nesting }},
	{"directives", "Directives, such as @include.", 200, func(l *Limits) *int { return &l.Directives }},
	{"aliases", "Aliases.", 1000, func(l *Limits) *int { return &l.Aliases }},
	{"depth", "Fields within each other; relations in a row in a condition.", 30, func(l *Limits) *int { return &l.Depth }},
	{"nodes", "Fields, when the fragments are written out.", 5000, func(l *Limits) *int { return &l.Nodes }},
	{"roots", "Root fields of the operation.", 100, func(l *Limits) *int { return &l.Roots }},
	{"terms", "Terms of conditions and sort orders.", 10_000, func(l *Limits) *int { return &l.Terms }},
	{"rows", "Records that the limits of the lists allow for, multiplied where lists are nested.", 10_000_000, func(l *Limits) *int { return &l.Rows }},
	{"seconds", "How long the request may run.", 30, func(l *Limits) *int { return &l.Seconds }},
}

// What requests may ask for when nobody has said otherwise: who signed in, who may define tables, and who did not sign in.
var (
	UserLimits      = Limits{Bytes: 64 << 10, Tokens: 1000, Nesting: 40, Directives: 50, Aliases: 100, Depth: 12, Nodes: 500, Roots: 20, Terms: 1000, Rows: 100_000, Seconds: 10}
	BuilderLimits   = Limits{Bytes: 64 << 10, Tokens: 2000, Nesting: 40, Directives: 50, Aliases: 200, Depth: 15, Nodes: 500, Roots: 20, Terms: 1000, Rows: 100_000, Seconds: 30}
	AnonymousLimits = Limits{Bytes: 8 << 10, Tokens: 200, Nesting: 20, Directives: 10, Aliases: 15, Depth: 5, Nodes: 100, Roots: 5, Terms: 50, Rows: 1000, Seconds: 10}
)

// Or returns l with the fields of o where l says nothing.
func (l Limits) Or(o Limits) Limits {
	for _, f := range LimitFields {
		if to := f.Of(&l); *to == 0 {
			*to = *f.Of(&o)
		}
	}
	return l
}

// Most returns the larger of each field.
func (l Limits) Most(o Limits) Limits {
	for _, f := range LimitFields {
		to := f.Of(&l)
		*to = max(*to, *f.Of(&o))
	}
	return l
}
