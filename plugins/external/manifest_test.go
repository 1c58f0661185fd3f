package external

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
)

const wholeManifest = `name: shop_helper
version: 1.2.0-rc.1
doc: Helps.
wasm: plugin.wasm
capabilities:
  tables: {shop: [read, update], purchase: [create]}
  hosts: [API.example.com.]
  secrets: {api_token: The token.}
  log: true
limits: {time: 1m, memory: 1MB, output: 16MB, calls: 0}
actions:
  - name: run
    doc: Runs.
    input:
      - {name: when, kind: date, required: true}
      - {name: lines, kind: object, list: true, fields: [{name: what, kind: text, max_length: 9}, {name: sort, kind: choice, options: [a, b]}]}
    output: [{name: total, kind: decimal}]
    examples:
      - {doc: One., in: {when: 2024-02-29, lines: [{what: x, sort: b}]}, out: {total: 12.50}}
`

func TestManifest(t *testing.T) {
	m, err := ReadManifest([]byte(wholeManifest))
	must(t, err)
	if w := m.Wants; m.Name != "shop_helper" || len(w.Tables) != 2 || strings.Join(w.Tables[0].Privileges, " ") != "read update" || w.Hosts[0] != "api.example.com" || !w.Log || w.Model {
		t.Errorf("%+v", m)
	}
	if m.Limits.Memory != 1<<20 || m.Limits.Calls != 0 || m.Actions[0].Examples[0].Out == nil {
		t.Errorf("%+v", m.Limits)
	}
	if s := m.sends(); len(s.Hosts) != 1 || !s.Log || s.Model {
		t.Errorf("%+v", s)
	}
}

// What is wrong with a manifest is told with its place, and with what was probably meant.
func TestManifestMistakes(t *testing.T) {
	for _, x := range []struct{ from, to, want string }{
		{wholeManifest, "", "line 1:1: the manifest is empty"},
		{wholeManifest, "a: [", "line 1: the manifest is no YAML: did not find"},
		{wholeManifest, "[]", "line 1:1: a manifest is an object, and not a list"},
		{"version:", "vesion:", `line 2:1: a manifest has no "vesion" (did you mean version?)`},
		{"version: 1.2.0-rc.1\n", "", "line 1:1: the manifest needs version"},
		{"1.2.0-rc.1", "one", `line 2:10: version is written like 1.2.0, and not "one"`},
		{"name: shop_helper", "name: Shop", "line 1:7"},
		{"name: shop_helper", "name: insert", "line 1:7: the name insert begins names of the API"},
		{"doc: Helps.", "doc: Helps.\ndoc: Twice.", `line 4:1: "doc" is there twice`},
		{"plugin.wasm", "../plugin.wasm", "line 4:7: wasm names a file beside the manifest"},
		{"wasm: plugin.wasm\n", "", "line 1:1: the manifest needs wasm, the file of a module, or http"},
		{"wasm: plugin.wasm", "wasm: plugin.wasm\nhttp: {url: https://a.example.com}", "line 5:7: a plugin is a module or a service"},
		{"wasm: plugin.wasm", "http: {url: https://a.example.com}", "line 6:3: a service asks for no capability but model"},
		{"wasm: plugin.wasm", "http: {url: http://a.example.com}", "line 4:13: url begins with https://"},
		{"wasm: plugin.wasm", "http: {url: 'https://ann:pw@a.example.com'}", "line 4:13: url is an address such as"},
		{"[read, update]", "[raed]", `line 6:19: there is no privilege "raed" (did you mean read?)`},
		{"[read, update]", "[read, read]", "line 6:25: read is there twice"},
		{"[read, update]", "[]", "line 6:18: name the privileges on shop"},
		{"{shop:", "{_user:", "is no name for a table"},
		{"API.example.com.", "https://api.example.com", "line 7:11: \"https://api.example.com\" is no name of a host"},
		{"[API.example.com.]", `["*"]`, "line 6:3: secrets are sent to the hosts that the manifest names"},
		{"[API.example.com.]", `["*", a.example.com]`, `line 7:10: hosts are named one by one, or are only "*"`},
		{"log: true", "log: maybe", `line 9:8: log is true or false, and not "maybe"`},
		{"time: 1m", "time: 1h", "line 10:16: time is one from 10ms to 5m"},
		{"memory: 1MB", "memory: 8000MB", `line 10:28: memory is a size from 1MB to 512MB, such as 512MB, and not "8000MB"`},
		{"memory: 1MB", "memory: 99999999999999999999MB", "line 10:28: memory is a size"},
		{"calls: 0", "calls: -1", "line 10:54: calls is a whole number from 0 to 100000"},
		{"actions:\n", "actions: []\nx:\n", `a manifest has no "x"`},
		{"kind: date", "kind: dat", `line 15:28: there is no kind "dat" (did you mean date?)`},
		{"kind: date", "kind: lookup", `there is no kind "lookup"`},
		{"kind: decimal", "kind: object", "line 17:14: fields are the members of an object"},
		{"options: [a, b]", "max_length: 2", "options are those of a choice"},
		{"kind: date", "kind: date, max_length: 2", "max_length is of a text"},
		{"{name: when,", "{name: lines,", "input has two of the name lines"},
		{"when: 2024-02-29", "when: yesterday", "line 19:25: in: when:"},
		{"when: 2024-02-29", "wen: 1", "in: wen: there is no such argument; there are: when, lines"},
		{"when: 2024-02-29, ", "", "in: when: a value is required"},
		{"total: 12.50", "total: much", "out: total:"},
		{"doc: Runs.\n", "doc: &a Runs.\n", "anchors and aliases"},
		{"    doc: Runs.\n", "", "line 12:5: an action needs a doc"},
	} {
		text := strings.Replace(wholeManifest, x.from, x.to, 1)
		if text == wholeManifest {
			t.Errorf("nothing to replace: %s", x.from)
		}
		_, err := ReadManifest([]byte(text))
		if k := core.KindOf(err); k != core.Invalid || !strings.Contains(core.AsError(err).Public(), x.want) {
			t.Errorf("%s -> %s: %v", x.from, x.to, err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	refused := func(kind core.ErrKind, want string) {
		t.Helper()
		if _, err := LoadAll(dir); core.KindOf(err) != kind || !strings.Contains(core.AsError(err).Public(), want) {
			t.Errorf("%v, and not %s", err, want)
		}
	}
	put("a/plugin.yaml", wholeManifest)
	refused(core.NotFound, "there is no file "+filepath.Join(dir, "a/plugin.wasm"))
	put("a/plugin.wasm", "one")
	put(".hidden/x", "")
	put("README.md", "")
	all, err := LoadAll(dir)
	must(t, err)
	put("a/plugin.wasm", "two")
	again, err := LoadAll(dir)
	must(t, err)
	if len(all) != 1 || len(all[0].Digest) != len("sha256:")+64 || all[0].Digest == again[0].Digest {
		t.Errorf("the digests are %s and %s", all[0].Digest, again[0].Digest)
	}
	put("b/plugin.yaml", wholeManifest)
	put("b/plugin.wasm", "one")
	refused(core.Exists, "two plugins are called shop_helper: those in the folders a and b")
	put("b/plugin.yaml", strings.Replace(wholeManifest, "doc: Helps", "dok: Helps", 1))
	refused(core.Invalid, "line 3:1: "+filepath.Join(dir, "b/plugin.yaml")+`: a manifest has no "dok" (did you mean doc?)`)
}
