package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// who is locked out at one server is out at all of them. A request that begins a second after the change of a user, a
// session or a key is refused; a change of roles is in force as soon as the other server has heard of it. An embedded database
// has one server, which is both.
func TestAttackA07OtherServer(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		other := p.another()
		p.ann(`"clerk"`)
		p.must("admin", `mutation { insert_customer_one(object: {name: "Bob"}) { id } }`)
		for _, c := range []struct {
			name, end string
			session   bool // whether it ends the session
			key       bool // whether it ends the key
			roles     bool // whether it is a change of roles
		}{
			{"session ended", `end_sessions(user: "ann@example.com") { ended }`, true, false, false},
			{"key revoked", `revoke_api_key(id: "KEY", user: "ann@example.com") { id }`, false, true, false},
			{"disabled", `disable_user(user: "ann@example.com") { id }`, true, true, false},
			{"role taken", `unassign_role(role: "clerk", user: "ann@example.com") { role }`, true, true, true},
		} {
			b := other.browser()
			b.signIn("ann@example.com", annPassword)
			made := p.must("admin", `mutation { create_api_key(name: "robot", user: "ann@example.com") { id secret } }`)
			other.keys["robot"] = at(made, "create_api_key", "secret")
			cursor := `customer_changes { cursor }`
			sees := map[string]func() bool{
				"session": func() bool { return b.reads(`{ customer { name } }`) },
				"key":     func() bool { return strings.Contains(other.do("robot", `{ customer { name } `+cursor+` }`), "Bob") },
			}
			for who, see := range sees {
				if !see() {
					t.Fatalf("%s: the %s sees nothing before", c.name, who)
				}
			}
			p.must("admin", "mutation { "+strings.ReplaceAll(c.end, "KEY", at(made, "create_api_key", "id"))+" }")
			changed := time.Now()
			for who, ends := range map[string]bool{"session": c.session, "key": c.key} {
				if !ends {
					if !sees[who]() {
						t.Errorf("%s: the %s is out", c.name, who)
					}
					continue
				}
				for began := time.Now(); sees[who](); began = time.Now() {
					if !c.roles && began.Sub(changed) > time.Second {
						t.Fatalf("%s: the %s is in %s later", c.name, who, began.Sub(changed))
					}
				}
			}
			p.must("admin", `mutation { disable_user(user: "ann@example.com", disabled: false) { id } }`)
		}
	})
}

// reads reports whether the session sees Bob.
func (b *browser) reads(query string) bool {
	b.t.Helper()
	raw, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+"/graphql", bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	_, out := b.send(req)
	return strings.Contains(out, "Bob")
}

// another returns another server of the same database; the same one when the database is embedded.
func (p *people) another() *people {
	p.t.Helper()
	if p.config.Database == "" {
		return p
	}
	a, err := newApp(p.t.Context(), p.config, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	o := &people{&scenario{app: a, keys: map[string]string{"admin": p.keys["admin"]}}, p.t, p.config}
	o.start(p.t)
	p.t.Cleanup(func() {
		if err := a.stop(context.WithoutCancel(p.t.Context())); err != nil {
			p.t.Error(err)
		}
	})
	return o
}
