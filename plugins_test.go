package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"colonnade/core"
	"colonnade/core/secret"
)

// guests are programs of Go that are built for the sandbox once.
var guests sync.Map

func guestModule(t *testing.T, folder string) []byte {
	t.Helper()
	build, _ := guests.LoadOrStore(folder, sync.OnceValues(func() ([]byte, error) {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("guest-%d.wasm", os.Getpid()))
		defer func() { _ = os.Remove(file) }()
		c := exec.Command("go", "build", "-ldflags=-s", "-o", file, folder)
		c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		return os.ReadFile(file)
	}))
	code, err := build.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// putFile writes a file, and the folders around it.
func putFile(t *testing.T, text []byte, parts ...string) {
	t.Helper()
	name := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// badManifest describes the guest that misbehaves, which sends to a server what it reads.
const badManifest = `name: bad
version: 1.0.0
wasm: plugin.wasm
capabilities: {tables: {customer: [read]}, hosts: [api.example.com]}
limits: {time: 3s, memory: 16MB}
actions:
  - {name: spin, doc: Never ends., input: [{name: text, kind: text}]}
  - {name: allocate, doc: Takes 8 GB., input: [{name: text, kind: text}]}
  - {name: host, doc: Asks the host., input: [{name: text, kind: text}], output: [{name: text, kind: long_text}]}
`

// pluginFolder holds the examples, and a plugin that misbehaves.
func pluginFolder(t *testing.T, service string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"loyalty", "shipping"} {
		text, err := os.ReadFile("examples/plugins/" + name + "/plugin.yaml")
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, []byte(strings.Replace(string(text), "127.0.0.1:8090", service, 1)), dir, name, "plugin.yaml")
	}
	putFile(t, guestModule(t, "./examples/plugins/loyalty"), dir, "loyalty", "plugin.wasm")
	putFile(t, []byte(badManifest), dir, "bad", "plugin.yaml")
	putFile(t, guestModule(t, "./plugins/external/testdata/guest"), dir, "bad", "plugin.wasm")
	return dir
}

// shareMachineCode has all tests, and the next run of them, keep what modules compile to in one folder: with the race detector the
// compiler takes most of the time for which a request may last.
func shareMachineCode(t *testing.T, c *config) {
	t.Helper()
	folder, err := filepath.Abs(".cache/plugin-cache")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(c.Data, "plugin-cache")); err != nil {
		t.Fatal(err)
	}
}

const pluginKey = "a key that is for tests only"

// shipping runs the service of the examples until the test ends, and returns its address.
func shipping(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/shipping", "./examples/plugins/shipping").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	putFile(t, []byte(pluginKey), dir, "key")
	c := exec.CommandContext(t.Context(), dir+"/shipping")
	c.Env = append(os.Environ(), "PLUGIN_KEY_FILE="+dir+"/key", "PLUGIN_ADDR="+addr)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Process.Kill(), c.Wait() })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return addr
		}
	}
	t.Fatal("the service does not listen")
	return ""
}

// refusedWith returns an error of the answer that holds the words.
func refusedWith(t *testing.T, a answer, words string) {
	t.Helper()
	if len(a.Errors) == 0 || !strings.Contains(a.Errors[0].Message, words) {
		t.Errorf("got %v %s, and not %q", a.Errors, a.Data, words)
	}
}

// listed is what list_plugins tells of a plugin.
type listed struct {
	Name, Status, Digest, Transport string
	Actions, Tables, Hosts, Secrets []string
	Missing                         []string `json:"missing_secrets"`
}

func (s *scenario) plugin(t *testing.T, name string) listed {
	t.Helper()
	var out struct {
		List struct{ Plugins []listed } `json:"list_plugins"`
	}
	raw := s.must(t, "admin", `mutation { list_plugins { plugins { name status digest transport actions tables hosts secrets missing_secrets } } }`)
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(out.List.Plugins, func(p listed) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no plugin %s in %s", name, raw)
	}
	return out.List.Plugins[i]
}

func (s *scenario) enablePlugin(t *testing.T, name string) {
	t.Helper()
	s.must(t, "admin", `mutation { enable_plugin(name: "`+name+`", digest: "`+s.plugin(t, name).Digest+`") { status } }`)
}

// newPlugins starts a program with plugins, and with records for them.
func newPlugins(t *testing.T, c *config) *scenario {
	t.Helper()
	service := shipping(t)
	_, port, _ := net.SplitHostPort(service)
	c.Plugins, c.Private, c.Ports, c.SecretsKey = pluginFolder(t, service), "127.0.0.0/8", port, filepath.Join(t.TempDir(), "keys")
	if _, err := secret.AddKey(c.SecretsKey); err != nil {
		t.Fatal(err)
	}
	shareMachineCode(t, c)
	s := newScenario(t, c)
	s.must(t, "admin", `mutation {
		put_data_class(name: "personal", egress: "none") { version }
		create_table(name: "customer", columns: [{name: "name", kind: "text"}, {name: "email", kind: "text", classes: ["personal"]}, {name: "shout", kind: "text", formula: "email + '!'"},
			{name: "points", kind: "integer", default: "0"}]) { version }
		purchases: create_table(name: "purchase", columns: [{name: "customer", kind: "uuid"}, {name: "amount", kind: "decimal", precision: 12, scale: 2}]) { version }
		clerk: put_role(name: "clerk", grants: [{table: "customer", privileges: ["create", "read", "update"]}, {table: "purchase", privileges: ["create", "read"]}], actions: ["use_plugins"]) { role }
		reader: put_role(name: "reader", grants: [{table: "customer", privileges: ["read"]}], actions: ["use_plugins"]) { role }
		guest: put_role(name: "guest", grants: [{table: "customer", privileges: ["create", "read", "update"]}]) { role }
	}`)
	for user, role := range map[string]string{"cleo": "clerk", "rob": "reader", "gus": "guest"} {
		s.sure(t, user, []string{role})
	}
	s.must(t, "cleo", `mutation { insert_customer(objects: [{id: "`+ann+`", name: "Ann", email: "ann@example.org"}]) { affected_rows } }`)
	return s
}

const ann = "00000000-0000-4000-8000-00000000000a"

func (s *scenario) points(t *testing.T) string {
	t.Helper()
	return string(s.must(t, "cleo", `{ customer { points } }`))
}

// What a plugin may do is what its caller may do and its manifest asks for, once somebody has enabled it as it is.
func TestPluginRights(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newPlugins(t, c)
		award := `mutation { loyalty_award(customer: "` + ann + `", amount: "12.50") { points tier } }`
		if p := s.plugin(t, "loyalty"); p.Status != "disabled" || p.Transport != "wasm" || !slices.Equal(p.Tables, []string{"customer: read, update"}) || !slices.Equal(p.Actions, []string{"loyalty_tier", "loyalty_award"}) {
			t.Errorf("%+v", p)
		}
		refusedWith(t, s.ask(t, "cleo", award, nil), "the plugin loyalty is not enabled")
		refusedWith(t, s.ask(t, "cleo", `mutation { enable_plugin(name: "loyalty", digest: "x") { status } }`, nil), "right to manage plugins")
		refusedWith(t, s.ask(t, "admin", `mutation { enable_plugin(name: "loyalty", digest: "x") { status } }`, nil), "has another digest")
		refusedWith(t, s.ask(t, "admin", `mutation { enable_plugin(name: "loyality", digest: "x") { status } }`, nil), "did you mean loyalty?")
		s.enablePlugin(t, "loyalty")
		if got := string(s.must(t, "cleo", award)); got != `{"loyalty_award":{"points":12,"tier":"bronze"}}` {
			t.Error(got)
		}
		refusedWith(t, s.ask(t, "rob", award, nil), "your roles do not let you update records of this table")
		refusedWith(t, s.ask(t, "gus", award, nil), "right to use plugins")
		refusedWith(t, s.ask(t, "cleo", `mutation { loyalty_tier(points: -1) { tier } }`, nil), "the plugin loyalty says: points are not negative")
		if got := s.points(t); got != `{"customer":[{"points":12}]}` {
			t.Error(got)
		}
		late, cancel := context.WithDeadline(core.WithCaller(t.Context(), core.System("test")), time.Now()) // the compiler took it all
		defer cancel()
		a := s.app.actions[slices.IndexFunc(s.app.actions, func(a core.Action) bool { return a.Name == "enable_plugin" })]
		if _, err := a.Run(late, core.Call{In: core.Record{"name": "bad", "digest": s.plugin(t, "bad").Digest}}); err != nil || s.plugin(t, "bad").Status != "enabled" {
			t.Error(err)
		}
		for query, want := range map[string]string{
			`{ customer { name points } }`: `{\"name\":\"Ann\",\"points\":12}`,
			`{ customer { email } }`:       `{\"email\":null}`,
			`{ customer { shout } }`:       `{\"shout\":null}`,
			`{ customer(where: {email: {_eq: \"ann@example.org\"}}) { name } }`: `"errors`,
			`{ purchase { id } }`: `"errors`,
			`mutation { update_customer(where: {}, _set: {name: \"x\"}) { affected_rows } }`: `has not asked to update`,
			`mutation { insert_purchase(objects: [{}]) { affected_rows } }`:                  `Cannot query field \"insert_purchase\"`,
			`mutation { create_table(name: \"x\", columns: []) { version } }`:                `define tables`,
			`mutation { loyalty_tier(points: 1) { tier } }`:                                  `not made to use plugins`,
		} {
			for _, user := range []string{"cleo", "admin"} {
				in, err := json.Marshal(map[string]any{"text": `{"op": "graphql", "query": "` + query + `"}`})
				if err != nil {
					t.Fatal(err)
				}
				a := s.ask(t, user, `mutation($text: String) { bad_host(text: $text) { text } }`, json.RawMessage(in))
				got, want := strings.ReplaceAll(string(a.Data["bad_host"]), `\`, ""), strings.ReplaceAll(want, `\`, "")
				if !strings.Contains(got, want) || strings.Contains(got, "ann@") {
					t.Errorf("%s asks %s: %v %s, and not %s", user, query, a.Errors, got, want)
				}
			}
		}
		s.must(t, "admin", `mutation { disable_plugin(name: "loyalty") { status } }`)
		refusedWith(t, s.ask(t, "cleo", award, nil), "is not enabled")
		s.enablePlugin(t, "loyalty")
		log := string(s.must(t, "admin", `mutation { read_access_log(kind: "plugin") { entries { kind data } } }`))
		if strings.Count(log, `"change":"enable_plugin"`)+strings.Count(log, `\"change\":\"enable_plugin\"`) != 3 || !strings.Contains(log, "disable_plugin") {
			t.Errorf("the access log has %s", log)
		}
		s.stop(t)
		putFile(t, []byte(badManifest+"\n# changed\n"), c.Plugins, "bad", "plugin.yaml")
		s.open(t, c)
		if got := s.plugin(t, "bad").Status + " " + s.plugin(t, "loyalty").Status; got != "changed enabled" {
			t.Error(got)
		}
		refusedWith(t, s.ask(t, "cleo", `mutation { bad_host(text: "") { text } }`, nil), "the files of the plugin bad have changed")
	})
}

// Flows call plugins as any action: what they write is written once, and one that never ends harms only its own run.
func TestPluginsInFlows(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newPlugins(t, c)
		for _, name := range []string{"loyalty", "bad", "shipping"} {
			s.enablePlugin(t, name)
		}
		flow := func(text string) answer {
			return s.ask(t, "admin", `mutation($text: String!) { put_flow(definition: $text) { name } }`, map[string]any{"text": text})
		}
		sent := "name: sends\ntrigger: {event: {table: customer, on: [update]}}\nsteps:\n  - action: bad_host\n    with: {text: =trigger.record."
		refusedWith(t, flow(sent+"email}\n"), "the data class personal, whose values go to no server, and the action bad_host sends them to api.example.com")
		refusedWith(t, flow(sent+"shout}\n"), "the data class personal")
		refusedWith(t, flow("name: far\ntrigger: {event: {table: customer, on: [update]}}\nsteps:\n  - action: shipping_quote\n    with: {country: =trigger.record.email, grams: 1}\n"), "sends them to 127.0.0.1")
		refusedWith(t, flow(strings.Replace(sent, "bad_host", "bad_hots", 1)+"name}\n"), "did you mean bad_host?")
		for _, text := range []string{
			"name: award\ntrigger: {event: {table: purchase, on: [create]}}\nsteps:\n  - action: loyalty_award\n    with: {customer: =trigger.record.customer, amount: =trigger.record.amount}\n",
			"name: spin\nretry: {attempts: 1}\ntrigger: {event: {table: purchase, on: [create], when: amount == 1}}\nsteps:\n  - action: bad_spin\n",
			"name: allocate\nretry: {attempts: 1}\ntrigger: {event: {table: purchase, on: [create], when: amount == 1}}\nsteps:\n  - action: bad_allocate\n",
		} {
			if a := flow(text); len(a.Errors) > 0 {
				t.Fatal(a.Errors)
			}
		}
		var objects []string
		for i := range 20 {
			objects = append(objects, `{customer: "`+ann+`", amount: "`+strconv.Itoa(i)+`.50"}`)
		}
		objects = append(objects, `{customer: "`+ann+`", amount: "1"}`)
		s.must(t, "cleo", `mutation { insert_purchase(objects: [`+strings.Join(objects, ", ")+`]) { affected_rows } }`)
		if err := s.app.flows.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.points(t); got != `{"customer":[{"points":191}]}` { // 0 + 1 + ... + 19, and 1
			t.Error(got)
		}
		runs := string(s.must(t, "admin", `{ _flow_run(where: {status: {_neq: "succeeded"}}, order_by: {error: asc}) { status error } }`))
		for _, want := range []string{"had not answered after 3s and was stopped", "needs more memory than the 16MB"} {
			if !strings.Contains(runs, want) {
				t.Errorf("%q is not in %s", want, runs)
			}
		}
		if n := strings.Count(runs, `"status"`); n != 2 {
			t.Errorf("%d runs failed: %s", n, runs)
		}

		// a step that is tried again, because nobody knows whether it was done, does nothing twice
		i := slices.IndexFunc(s.app.actions, func(a core.Action) bool { return a.Name == "loyalty_award" })
		snap := s.app.store.Snapshot()
		caller, err := snap.Policy.Caller(snap.Policy.FindUser("cleo@example.com").ID, core.Cause{Kind: "flow", ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		a := s.app.actions[i]
		for range 3 {
			in, err := core.ParseInput(a.Input, map[string]any{"customer": ann, "amount": "9"})
			if err != nil {
				t.Fatal(err)
			}
			if out, err := a.Run(core.WithCaller(t.Context(), caller), core.Call{In: in, Key: "run/step/"}); err != nil || out["points"] != int64(200) {
				t.Errorf("%v, %v", out, err)
			}
		}
	})
}

// A service is called with a key that somebody has set.
func TestPluginService(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		s := newPlugins(t, c)
		s.enablePlugin(t, "shipping")
		quote := `mutation { shipping_quote(country: "us", grams: "2500") { price days } }`
		if p := s.plugin(t, "shipping"); !slices.Equal(p.Missing, []string{"signing_key"}) || !slices.Equal(p.Hosts, []string{"127.0.0.1"}) {
			t.Errorf("%+v", p)
		}
		refusedWith(t, s.ask(t, "cleo", quote, nil), "has no secret signing_key yet: set it with put_plugin_secret")
		put := func(secret, value string) string {
			return `mutation { put_plugin_secret(name: "shipping", secret: "` + secret + `", value: "` + value + `") { secret } }`
		}
		refusedWith(t, s.ask(t, "cleo", put("signing_key", pluginKey), nil), "right to manage plugins")
		refusedWith(t, s.ask(t, "admin", put("signing_kee", pluginKey), nil), "did you mean signing_key?")
		refusedWith(t, s.ask(t, "admin", put("signing_key", "short"), nil), "at least 24 characters")
		s.must(t, "admin", put("signing_key", strings.Repeat("another key", 3)))
		refusedWith(t, s.ask(t, "cleo", quote, nil), "the status 401")
		s.must(t, "admin", put("signing_key", pluginKey))
		if got := string(s.must(t, "cleo", quote)); got != `{"shipping_quote":{"price":27,"days":8}}` && got != `{"shipping_quote":{"price":27.00,"days":8}}` {
			t.Error(got)
		}
		refusedWith(t, s.ask(t, "cleo", `mutation { shipping_quote(country: "XX", grams: "1") { price } }`, nil), "the plugin shipping says: no parcels go to XX")
		if p := s.plugin(t, "shipping"); len(p.Missing) > 0 {
			t.Errorf("%+v", p)
		}
	})
}

// What examples/plugins holds of the scaffold is what the scaffold makes.
func TestPluginExamplesAreScaffolds(t *testing.T) {
	for example, from := range map[string]string{
		"loyalty/colonnade.go": "wasm/colonnade.go", "loyalty/host_wasip1.go": "wasm/host_wasip1.go", "loyalty/host_other.go": "wasm/host_other.go", "shipping/colonnade.go": "http/colonnade.go",
	} {
		got, err := os.ReadFile("examples/plugins/" + example)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("plugins/external/scaffold/" + from + ".txt")
		if err != nil || string(got) != string(want) {
			t.Errorf("examples/plugins/%s is not that of the scaffold: %v", example, err)
		}
	}
}
