package core

import (
	"context"
	"net/url"
	"strings"
)

// Action is one thing that can be called: by a GraphQL mutation, a flow step, an agent, the studio.
// From this one description come the mutation, its validation, the form and the reference page.
type Action struct {
	Name      string // snake_case, as flow authors and API clients write it
	Doc       string // one sentence, then details
	Input     []Column
	Output    []Column
	Examples  []Example
	Privilege string // what a caller needs besides being signed in; empty for nothing more

	// Alone says that the action opens transactions of its own, as long work does. It can then be
	// the only root field of a mutation, and as a flow step it runs at least once with the same Key.
	// Other actions join the transaction that their context carries.
	Alone bool

	// Secret says that the output is shown once: it is kept nowhere, also not to be repeated.
	Secret bool

	// Personal says that the action is about the account of who signed in, or answers with what is for his eyes only: no flow calls
	// it, no key that is made for less than its user may do, and nobody on behalf of another.
	Personal bool

	// StepUp says that who has a second factor must have proved it just now.
	StepUp bool

	// Define says that the action changes the schema or the policy, for which the transaction must be prepared.
	Define bool

	// Sends says where values go that the action is given, beside what it writes and answers.
	Sends Sends

	// Reads is the argument that names the tables of whose records the output holds values, all of them where it is left out;
	// [AnyTable] where no argument says so. It is empty where the output holds no values but those that the action is given.
	Reads string

	// ReadsOnly is the argument that names the columns of these tables that the output holds, all of them where it is left out; empty where
	// no argument says so.
	ReadsOnly string

	Run func(ctx context.Context, c Call) (Record, error)
}

// AnyTable stands for every table.
const AnyTable = "*"

// Sends says where an action sends values: those of its arguments, and those of columns that its arguments name. What data classes
// say of that is checked when a flow is saved that calls it, and whenever it runs.
type Sends struct {
	Model bool     // to a model, which learns from them or answers by them
	Log   bool     // to the log of the process
	Hosts []string // to these servers; [AnyHost] for those that people choose
	Takes []Taking // the columns that its arguments name

	Address string // the argument that names the server, in place of Hosts where it is known
}

// Of returns s with the hosts that are known where the arguments are: of an address that is among them, its own.
func (s *Sends) Of(in Record) Sends {
	out := *s
	if text, ok := in[s.Address].(string); ok && s.Address != "" {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			out.Hosts = []string{strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))}
		}
	}
	return out
}

// AnyHost stands for any server.
const AnyHost = "*"

// Taking names arguments: that of a table, and those of columns of it.
type Taking struct {
	Table   string
	Columns []string
}

// Anywhere reports whether values go anywhere.
func (s *Sends) Anywhere() bool { return s.Model || s.Log || len(s.Hosts) > 0 }

// Columns returns the columns that arguments name, as far as they are texts.
func (s *Sends) Columns(in Record) (out []At) {
	for _, t := range s.Takes {
		table, ok := in[t.Table].(string)
		if !ok {
			continue
		}
		for _, argument := range t.Columns {
			if column, ok := in[argument].(string); ok {
				out = append(out, At{Table: table, Column: column})
			}
		}
	}
	return out
}

// Call is one run of an [Action]. The caller is in the context.
type Call struct {
	In  Record // normalised to Input
	Key string // the same on every retry; empty when nobody retries
}

// Example is an input of an action, and what to expect.
type Example struct {
	Doc string
	In  Record
	Out Record // checked when not nil
}

// Text returns the text input of that name, "" when absent.
func (c Call) Text(name string) string {
	s, _ := c.In[name].(string)
	return s
}

// Texts returns texts as the output of an action has a list of them.
func Texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Int returns the integer input of that name, or otherwise.
func (c Call) Int(name string, otherwise int64) int64 {
	if n, ok := c.In[name].(int64); ok {
		return n
	}
	return otherwise
}

// Bool returns the boolean input of that name, false when absent.
func (c Call) Bool(name string) bool {
	b, _ := c.In[name].(bool)
	return b
}
