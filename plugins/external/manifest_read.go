package external

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/egress"
)

const maxManifest = 256 << 10

// ReadManifest reads the text of a manifest. Errors name the line and the character, and what was probably meant.
func ReadManifest(text []byte) (*Manifest, error) {
	const op = "external.ReadManifest"
	if len(text) > maxManifest {
		return nil, core.E(op, core.Limit, "a manifest has at most 256 KB")
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, core.E(op, core.Invalid, core.At{Line: 1, Pos: 1}, "the manifest is empty: it needs name, version, wasm or http, and actions")
		}
		return nil, core.E(op, core.Invalid, syntaxAt(err), "the manifest is no YAML: "+yamlPlace.ReplaceAllString(err.Error(), ""))
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, core.E(op, core.Invalid, core.At{Line: max(1, more.Line), Pos: 1}, "there is a second document: a folder holds one plugin")
	}
	r := &reader{}
	m := r.manifest(doc.Content[0])
	if r.err != nil {
		return nil, core.E(op, r.err)
	}
	return m, nil
}

// yamlPlace is how the parser begins its messages.
var yamlPlace = regexp.MustCompile(`^yaml: (line (\d+): )?`)

func syntaxAt(err error) (at core.At) {
	if m := yamlPlace.FindStringSubmatch(err.Error()); m != nil && m[2] != "" {
		at.Line, _ = strconv.Atoi(m[2]) // digits
	}
	return at
}

// versionPattern is what a version looks like: see https://semver.org.
var versionPattern = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// rootPrefixes begin fields of the API that are made from the names of tables, which a plugin must not take away.
var rootPrefixes = strings.Fields("insert update delete restore purge merge unmerge put drop create add plugin colonnade")

func (r *reader) manifest(n *yaml.Node) *Manifest {
	m := &Manifest{Limits: usualLimits, Retries: 2}
	seen := map[string]*yaml.Node{}
	r.members(n, "a manifest", strings.Fields("name version doc wasm http capabilities limits actions"), func(key string, v *yaml.Node) {
		seen[key] = v
		switch key {
		case "name":
			m.Name = r.name(v, "plugin")
			if slices.Contains(rootPrefixes, m.Name) {
				r.fail(v, "the name %s begins names of the API: choose another", m.Name)
			}
		case "version":
			if m.Version = r.text(v, "version"); !versionPattern.MatchString(m.Version) {
				r.fail(v, "version is written like 1.2.0, and not %s", form(v))
			}
		case "doc":
			m.Doc = r.text(v, "doc")
		case "wasm":
			if m.Wasm = r.text(v, "wasm"); m.Wasm != filepath.Base(m.Wasm) || !strings.HasSuffix(m.Wasm, ".wasm") {
				r.fail(v, "wasm names a file beside the manifest, such as plugin.wasm")
			}
		case "http":
			r.service(v, m)
		case "capabilities":
			r.wants(v, &m.Wants)
		case "limits":
			r.limits(v, &m.Limits)
		case "actions":
			r.each(v, "actions", func(item *yaml.Node) { m.Actions = append(m.Actions, r.action(item, m)) })
		}
	})
	for _, key := range []string{"name", "version", "actions"} {
		if seen[key] == nil {
			r.fail(n, "the manifest needs %s", key)
		}
	}
	switch {
	case m.Wasm != "" && m.URL != "":
		r.fail(seen["http"], "a plugin is a module or a service: leave out wasm or http")
	case m.Wasm == "" && m.URL == "":
		r.fail(n, "the manifest needs wasm, the file of a module, or http, the address of a service")
	case len(m.Actions) == 0:
		r.fail(cmpNode(seen["actions"], n), "a plugin has at least one action")
	case m.URL != "" && (m.Wants.reads() || m.Wants.Log || len(m.Wants.Secrets) > 0 || len(m.Wants.Hosts) > 0):
		r.fail(seen["capabilities"], "a service asks for no capability but model: it calls the API with a key of its own, and other servers by itself")
	case len(m.Wants.Secrets) > 0 && (len(m.Wants.Hosts) == 0 || m.Wants.Hosts[0] == core.AnyHost):
		r.fail(seen["capabilities"], "secrets are sent to the hosts that the manifest names: name them one by one")
	}
	return m
}

func cmpNode(a, b *yaml.Node) *yaml.Node {
	if a != nil {
		return a
	}
	return b
}

func (r *reader) service(n *yaml.Node, m *Manifest) {
	r.members(n, "http", strings.Fields("url retries"), func(key string, v *yaml.Node) {
		if key == "retries" {
			m.Retries = r.integer(v, "retries", 0, 5)
			return
		}
		m.URL = r.text(v, "url")
		u, err := url.Parse(m.URL)
		switch {
		case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "":
			r.fail(v, "url is an address such as https://plugins.example.com/run, without a user and without #")
		case !egress.Sealed(u):
			r.fail(v, "url begins with https://, or names this machine: what is sent is signed, and not sealed")
		}
	})
}

func (r *reader) wants(n *yaml.Node, w *Wants) {
	r.members(n, "capabilities", strings.Fields("tables hosts secrets log model"), func(key string, v *yaml.Node) {
		switch key {
		case "tables":
			r.entries(v, "tables", func(k, privileges *yaml.Node) { w.Tables = append(w.Tables, r.tableWant(k, privileges)) })
		case "hosts":
			r.each(v, "hosts", func(item *yaml.Node) { w.Hosts = append(w.Hosts, r.host(item)) })
			if len(w.Hosts) > 1 && slices.Contains(w.Hosts, core.AnyHost) {
				r.fail(v, `hosts are named one by one, or are only "*"`)
			}
		case "secrets":
			r.entries(v, "secrets", func(k, doc *yaml.Node) {
				w.Secrets = append(w.Secrets, SecretWant{r.name(k, "secret"), r.text(doc, "what the secret "+k.Value+" is")})
			})
		case "log":
			w.Log = r.boolean(v, "log")
		case "model":
			w.Model = r.boolean(v, "model")
		}
	})
}

func (r *reader) tableWant(k, v *yaml.Node) TableWant {
	w := TableWant{Table: r.name(k, "table"), line: k.Line, pos: k.Column}
	have := make([]string, len(authz.Privileges))
	for i, p := range authz.Privileges {
		have[i] = string(p)
	}
	r.each(v, "the privileges on "+w.Table, func(item *yaml.Node) {
		p := r.oneOf(item, "privilege", have)
		if slices.Contains(w.Privileges, p) {
			r.fail(item, "%s is there twice", p)
		}
		w.Privileges = append(w.Privileges, p)
	})
	if len(w.Privileges) == 0 {
		r.fail(v, "name the privileges on %s, such as [read]", w.Table)
	}
	return w
}

func (r *reader) host(n *yaml.Node) string {
	h := strings.ToLower(strings.TrimSuffix(r.text(n, "a host"), "."))
	if h != core.AnyHost && strings.ContainsAny(h, " /:@*") {
		r.fail(n, "%q is no name of a host: write it like api.example.com, without a scheme, a port or a path", n.Value)
	}
	return h
}

func (r *reader) limits(n *yaml.Node, l *Limits) {
	r.members(n, "limits", strings.Fields("time memory output calls"), func(key string, v *yaml.Node) {
		switch key {
		case "time":
			d, err := time.ParseDuration(r.text(v, "time"))
			if err != nil || d < 10*time.Millisecond || d > mostLimits.Time {
				r.fail(v, "time is one from 10ms to 5m, such as 10s, and not %s", form(v))
			}
			l.Time = d
		case "memory":
			l.Memory = r.size(v, "memory", 1<<20, mostLimits.Memory)
		case "output":
			l.Output = r.size(v, "output", 1<<10, mostLimits.Output)
		case "calls":
			l.Calls = r.integer(v, "calls", 0, mostLimits.Calls)
		}
	})
}

func (r *reader) action(n *yaml.Node, m *Manifest) (a Action) {
	var examples *yaml.Node
	r.members(n, "an action", strings.Fields("name doc input output examples"), func(key string, v *yaml.Node) {
		switch key {
		case "name":
			if a.Name = r.name(v, "action"); m.action(a.Name) != nil {
				r.fail(v, "the action %s is there twice", a.Name)
			}
		case "doc":
			a.Doc = r.text(v, "doc")
		case "input":
			a.Input = r.columns(v, "input")
		case "output":
			a.Output = r.columns(v, "output")
		case "examples":
			examples = v
		}
	})
	for _, of := range []struct{ name, have string }{{"name", a.Name}, {"doc", a.Doc}} {
		if of.have == "" {
			r.fail(n, "an action needs a %s", of.name)
		}
	}
	if examples != nil {
		r.each(examples, "examples", func(item *yaml.Node) { a.Examples = append(a.Examples, r.example(item, &a)) })
	}
	return a
}

func (r *reader) example(n *yaml.Node, a *Action) (x Example) {
	r.members(n, "an example", strings.Fields("doc in out"), func(key string, v *yaml.Node) {
		switch key {
		case "doc":
			x.Doc = r.text(v, "doc")
		case "in":
			x.In = r.record(v, "in", a.Input)
		case "out":
			x.Out = r.record(v, "out", a.Output)
		}
	})
	if x.In == nil && r.err == nil {
		x.In = r.record(&yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}, "in", a.Input)
	}
	return x
}

func (r *reader) columns(n *yaml.Node, what string) (out []core.Column) {
	r.each(n, what, func(item *yaml.Node) {
		c := r.column(item)
		if slices.ContainsFunc(out, func(o core.Column) bool { return o.Name == c.Name }) {
			r.fail(item, "%s has two of the name %s", what, c.Name)
		}
		out = append(out, c)
	})
	return out
}

func (r *reader) column(n *yaml.Node) (c core.Column) {
	var max, fields, options *yaml.Node
	r.members(n, "a value", strings.Fields("name kind doc required list fields options max_length"), func(key string, v *yaml.Node) {
		switch key {
		case "name":
			c.Name = r.name(v, "value")
		case "kind":
			c.Kind = core.Kind(r.oneOf(v, "kind", argumentKinds()))
		case "doc":
			c.Doc = r.text(v, "doc")
		case "required":
			c.Required = r.boolean(v, "required")
		case "list":
			c.List = r.boolean(v, "list")
		case "fields":
			fields, c.Fields = v, r.columns(v, "fields")
		case "options":
			options = v
			r.each(v, "options", func(item *yaml.Node) { c.Options = append(c.Options, core.Option{Value: r.text(item, "an option")}) })
		case "max_length":
			max, c.MaxLength = v, r.integer(v, "max_length", 1, core.MaxText)
		}
	})
	chooses := c.Kind == core.Choice || c.Kind == core.Choices
	switch {
	case c.Name == "" || c.Kind == "":
		r.fail(n, "a value needs name and kind")
	case (c.Kind == core.Object) != (len(c.Fields) > 0):
		r.fail(cmpNode(fields, n), "fields are the members of an object, which has at least one")
	case chooses != (len(c.Options) > 0):
		r.fail(cmpNode(options, n), "options are those of a choice or of choices, which have at least one")
	case max != nil && c.Kind != core.Text && c.Kind != core.LongText:
		r.fail(max, "max_length is of a text")
	case c.List && c.Kind == core.Choices:
		r.fail(n, "choices are a list already: leave out list")
	}
	return c
}

// argumentKinds are the kinds that an action can take and answer.
func argumentKinds() []string {
	var out []string
	for _, k := range core.Kinds() {
		if i := k.Info(); !i.Table && !i.File {
			out = append(out, string(k))
		}
	}
	return append(out, string(core.Object))
}

func (r *reader) record(n *yaml.Node, what string, columns []core.Column) core.Record {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s is an object, and not %s", what, form(n))
		return nil
	}
	var values map[string]any
	if err := n.Decode(&values); err != nil {
		r.fail(n, "%s: %s", what, err.Error())
		return nil
	}
	if values == nil {
		values = map[string]any{}
	}
	out, err := core.ParseInput(columns, plain(values).(map[string]any))
	if err != nil {
		r.fail(n, "%s: %s", what, core.AsError(err).Public())
		return nil
	}
	return out
}

// plain returns a value of YAML as one of JSON: a date without quotes is a text again.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	case uint64:
		return fmt.Sprint(v)
	}
	return v
}
