package main

import (
	"fmt"
	"strings"
	"testing"

	"colonnade/tables"
)

// TestSignInsAreLogged has what happens at the ways in kept in the access log: for auditors, and for whose account it is.
func TestSignInsAreLogged(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		p.sure(t, "bob", []string{"clerk"})
		b := p.browser()
		b.post("/auth/login", map[string]string{"email": "ann@example.com", "password": "canary of a wrong password"}, 401)
		b.post("/auth/login", map[string]string{"email": "canary typed by mistake", "password": annPassword}, 401)
		b.signIn("ann@example.com", annPassword)
		secret := at(b.do(`mutation { enroll_totp { secret } }`), "enroll_totp", "secret")
		b.do(`mutation { confirm_totp(code: "`+appCode(t, secret, 0)+`") { recovery_codes } }`, "!errors")
		b.post("/auth/logout", map[string]string{}, 200)
		b.signIn("ann@example.com", annPassword, `"second_factor":true`)
		b.post("/auth/second-factor", map[string]string{"code": "000000"}, 401)
		b.post("/auth/second-factor", map[string]string{"code": appCode(t, secret, 1)}, 200)
		b.do(`mutation { create_api_key(name: "mine", read_only: true) { secret } }`, "!errors")
		p.must("admin", `mutation { drop_second_factor(user: "ann@example.com") { id } reset_password(user: "ann@example.com") { path } }`)
		p.must("admin", `mutation { put_provider(name: "corporate", issuer: "https://login.example.com", client_id: "colonnade", client_secret: "canary-of-a-client") { id } }`)
		p.must("admin", `mutation { drop_provider(name: "corporate") { id } }`)

		all := `mutation { read_access_log(limit: 100) { entries { kind actor records data address } } }`
		got := p.do("admin", all)
		for _, want := range []string{
			`"reason":"wrong password"`, `"reason":"no such account"`, `"reason":"wrong code"`, `"kind":"sign_out"`, `"change":"confirm_totp"`, `"change":"create_api_key"`, `"change":"drop_second_factor"`,
			`"change":"reset_password"`, `"change":"put_provider"`, `"change":"drop_provider"`, `"issuer":"https://login.example.com"`, `"waits":true`, `"address":"127.0.0.1"`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		if strings.Contains(got, "canary") || strings.Contains(got, secret) {
			t.Errorf("what was typed is in the log: %s", got)
		}
		id := at(p.must("admin", `{ _user(where: {name: {_eq: "Ann"}}) { id } }`)["_user"].([]any)[0], "id")
		p.wants("admin", fmt.Sprintf(`mutation { read_access_log(record: %q, kind: "sign_in") { entries { data } } }`, id), `"method":"password"`, `"second_factor":true`)
		mine := b.do(all, `"reason":"wrong password"`, `"change":"reset_password"`, `"change":"create_api_key"`, "!no such account", "!put_provider")
		for _, e := range mine["read_access_log"].(map[string]any)["entries"].([]any) {
			if actor := at(e, "actor"); actor != "" && actor != id && at(e, "address") != "" {
				t.Errorf("where an administrator sits is told: %v", e)
			}
		}
		p.wants("bob", all, "!"+id)
		p.wants("bob", fmt.Sprintf(`mutation { read_access_log(record: %q) { entries { kind } } }`, id), `"entries":[]`)
		if out, err := p.app.store.Verify(t.Context(), tables.Verify{}); err != nil || len(out.Problems) > 0 {
			t.Errorf("the log is not sound: %v %v", out.Problems, err)
		}
	})
}
