package external

import (
	"slices"
	"time"

	"colonnade/core"
	"colonnade/core/egress"
)

// ManifestName is the file of a manifest in the folder of its plugin.
const ManifestName = "plugin.yaml"

// Manifest says what a plugin is.
type Manifest struct {
	Name    string // begins the names of its actions
	Version string
	Doc     string
	Wasm    string // the file of the module, beside the manifest; "" for a service
	URL     string // of the service; "" for a module
	Retries int    // of a service that cannot be reached, or is busy, within one call

	Wants   Wants
	Limits  Limits
	Actions []Action
}

// Wants are the capabilities that a plugin asks for. What is not asked for is not there.
type Wants struct {
	Tables  []TableWant
	Hosts   []string // names of servers, in small letters; or only [core.AnyHost]
	Secrets []SecretWant
	Log     bool
	Model   bool // what it is given goes to a model
}

// TableWant is what a plugin does to the records of a table.
type TableWant struct {
	Table      string
	Privileges []string // of authz.Privileges
	line, pos  int
}

// SecretWant is a secret that the plugin has put into headers of its requests, without reading it.
type SecretWant struct{ Name, Doc string }

// Limits bound one call.
type Limits struct {
	Time   time.Duration // 10 s when left out
	Memory int           // of a module, in bytes; 64 MB when left out
	Output int           // bytes of the answer; 1 MB when left out
	Calls  int           // of functions of the host by a module; 1,000 when left out
}

// What limits are without a word, and at most.
var (
	usualLimits = Limits{Time: 10 * time.Second, Memory: 64 << 20, Output: 1 << 20, Calls: 1000}
	mostLimits  = Limits{Time: 5 * time.Minute, Memory: 512 << 20, Output: 16 << 20, Calls: 100_000}
)

// Action is one action of a plugin.
type Action struct {
	Name     string // without that of the plugin
	Doc      string
	Input    []core.Column
	Output   []core.Column
	Examples []Example
}

// Example is an input, and what the action answers to it.
type Example struct {
	Doc string
	In  core.Record
	Out core.Record // nil where any answer of the right form will do
}

// reads reports whether the plugin may see records.
func (w *Wants) reads() bool { return len(w.Tables) > 0 }

// sends says where values go that the plugin is given or reads.
func (m *Manifest) sends() core.Sends {
	s := core.Sends{Model: m.Wants.Model, Log: m.Wants.Log, Hosts: slices.Clone(m.Wants.Hosts)}
	if host := egress.Host(m.URL); host != "" && !slices.Contains(s.Hosts, host) {
		s.Hosts = append(s.Hosts, host)
	}
	return s
}

// action returns the action of that name without the name of the plugin.
func (m *Manifest) action(name string) *Action {
	i := slices.IndexFunc(m.Actions, func(a Action) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Actions[i]
}
