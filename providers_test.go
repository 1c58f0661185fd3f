package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"colonnade/core"
	"colonnade/identity"
)

// TestDeclaredProviders sets a provider up by a file, and changes it there.
func TestDeclaredProviders(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		port := mayCall(t, c)
		f := newForger(t, port)
		folder := t.TempDir()
		c.Providers = filepath.Join(folder, "providers.yaml")
		write := func(label, clientSecret string) {
			t.Helper()
			text := fmt.Sprintf("providers:\n  - name: corporate\n    label: %s\n    issuer: %s\n    client_id: colonnade\n    client_secret_file: %s\n    on_first_login: create\n    groups_claim: groups\n    group_roles: [{group: sales, role: sales}]\n",
				label, f.URL, filepath.Join(folder, "secret"))
			for name, s := range map[string]string{"providers.yaml": text, "secret": clientSecret + "\n"} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(s), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		write("Corporate", "canary-first")
		p := &people{newScenario(t, c), t, c}
		restart := func() {
			t.Helper()
			if err := p.app.stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			a, err := newApp(t.Context(), c, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			p.app = a
			p.start(t)
		}
		signIn := func() {
			t.Helper()
			b := p.browser()
			to, err := url.Parse(b.leaveFor("corporate", nil))
			if err != nil {
				t.Fatal(err)
			}
			f.mu.Lock()
			f.right()
			f.nonce = to.Query().Get("nonce")
			f.mu.Unlock()
			if res, page := b.get("/auth/oidc/corporate/callback?" + url.Values{"state": {to.Query().Get("state")}, "code": {"c"}}.Encode()); res.StatusCode != 302 {
				t.Fatal(res.Status, page)
			}
			if _, err := b.me(); err != nil {
				t.Fatal(err)
			}
		}
		logged := func() int {
			t.Helper()
			out := p.do("admin", `mutation { read_access_log(kind: "provider") { entries { cause data } } }`)
			if strings.Contains(out, "canary") {
				t.Error("the secret is in the log")
			}
			return strings.Count(out, `"cause":"setup"`)
		}
		signIn() // before the role sales is there: nobody gets it
		p.wants("admin", `mutation { list_providers { providers { label has_secret } } }`, `"label":"Corporate"`, `"has_secret":true`)
		for _, change := range []string{`put_provider(name: "corporate", issuer: "https://evil.example", client_id: "x") { id }`, `drop_provider(name: "corporate") { id }`} {
			p.wants("admin", "mutation { "+change+" }", "is set up by --providers")
		}
		restart()
		if n := logged(); n != 1 {
			t.Errorf("a start that changes nothing: %d entries, want 1", n)
		}
		write("Our accounts", "canary-second")
		restart()
		p.wants("admin", `mutation { list_providers { providers { label } } }`, `"label":"Our accounts"`)
		if n := logged(); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
		signIn()
		c.Providers = ""
		restart()
		p.must("admin", `mutation { drop_provider(name: "corporate") { id } }`)
	})
}

func TestReadProviders(t *testing.T) {
	t.Setenv("EMPTY", "")
	const good = "name: a\n    issuer: https://login.example.com\n    client_id: c\n"
	for document, want := range map[string]string{
		"providers:\n  - " + good + "    client_secret: x\n":                                        "client_secret",
		"providers:\n  - " + good + "  - " + good:                                                   "is there twice",
		"providers:\n  - " + good + "    client_secret_file: /none\n":                               "cannot be read",
		"providers:\n  - " + good + "    client_secret_env: EMPTY\n":                                "is empty",
		"providers:\n  - " + good + "    client_secret_env: A\n    client_secret_file: /etc/none\n": "name one place",
		"providers: 3\n": "cannot be read",
		"- a\n":          "cannot be read",
		"providers:\n  - " + good + "    client_secret_env: HOME\n": "",
		"": "",
	} {
		all, err := identity.ReadProviders([]byte(document))
		if want == "" {
			if err != nil || len(all) != strings.Count(document, "name:") {
				t.Errorf("%q: %v %v", document, all, err)
			}
			continue
		}
		if core.KindOf(err) != core.Invalid || !strings.Contains(core.AsError(err).Public(), want) {
			t.Errorf("%q: %v, want %q", document, err, want)
		}
	}
}
