package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"colonnade/core/db"
)

// signed has the device of the browser sign what the server asks for, and returns what would be sent.
func (b *chrome) signed() map[string]any {
	b.t.Helper()
	const script = `(async () => {
		const answer = await fetch("/auth/passkey/options", {method: "POST", headers: {"content-type": "application/json"}, body: "{}"});
		const {publicKey} = await answer.json();
		const credential = await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey)});
		return JSON.stringify(credential.toJSON());
	})()`
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// what a passkey has signed, forged, copied, and sent again.
func TestAttackA24ForgedPasskeys(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		b := openChrome(t, strings.NewReplacer("127.0.0.1", "localhost", "/graphql", "").Replace(p.url))
		b.open("/login?redirect=/account")
		b.fill("form[action='/auth/login']", map[string]string{"email": "ann@example.com", "password": annPassword})
		b.shows("API keys")
		b.fill("#add", map[string]string{"name": "Laptop"})
		b.shows("Laptop, for localhost")
		b.signOut()
		b.open("/login")
		bob := p.browser()
		p.must("admin", `mutation { create_user(name: "Bob", email: "bob@example.com", password: "seven green doors sing") { id } }`)

		part := func(credential map[string]any) map[string]any {
			return credential["response"].(map[string]any)
		}
		turn := func(name string, change func([]byte) []byte) func(map[string]any) {
			return func(c map[string]any) {
				r := part(c)
				raw, err := base64.RawURLEncoding.DecodeString(r[name].(string))
				if err != nil {
					t.Fatal(err)
				}
				r[name] = base64.RawURLEncoding.EncodeToString(change(raw))
			}
		}
		flip := func(at int) func([]byte) []byte {
			return func(b []byte) []byte {
				b[at] ^= 4
				return b
			}
		}
		host := "http://localhost" + p.url[strings.LastIndex(p.url, ":"):]
		host = strings.TrimSuffix(host, "/graphql")
		for name, forge := range map[string]func(map[string]any){
			"another signature": turn("signature", flip(12)),
			"another challenge": turn("clientDataJSON", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"challenge":"`, `"challenge":"AAAA`, 1))
			}),
			"another origin": turn("clientDataJSON", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), "http://localhost", "http://evil.localhost", 1))
			}),
			"another kind":        turn("clientDataJSON", func(b []byte) []byte { return []byte(strings.Replace(string(b), "webauthn.get", "webauthn.create", 1)) }),
			"another host":        turn("authenticatorData", flip(0)),
			"nobody was verified": turn("authenticatorData", flip(32)),
			"another count":       turn("authenticatorData", flip(36)),
			"another user":        turn("userHandle", flip(3)),
			"another passkey":     func(c map[string]any) { c["id"], c["rawId"] = "AAAA", "AAAA" },
			"nothing is signed":   func(c map[string]any) { c["response"] = map[string]any{} },
			"no answer":           func(c map[string]any) { clear(c) },
			"no user":             func(c map[string]any) { delete(part(c), "userHandle") },
		} {
			c := b.signed()
			forge(c)
			thief := p.browser()
			thief.base = host
			status := 401
			if name == "nothing is signed" || name == "no answer" {
				status = 400
			}
			thief.post("/auth/passkey", map[string]any{"credential": c}, status, "!Ann")
			if _, err := thief.me(); err == nil {
				t.Error(name, "signs in")
			}
		}

		// What is right counts once, and under the name for which it was made.
		c := b.signed()
		good := p.browser()
		good.post("/auth/passkey", map[string]any{"credential": c}, 400, "by its address") // which is another host
		c = b.signed()
		good.base = host
		good.post("/auth/passkey", map[string]any{"credential": c}, 200, `"name":"Ann"`)
		good.post("/auth/passkey", map[string]any{"credential": c}, 401)

		// Of somebody who is signed in as another, it makes a session of its own, and ends the other one.
		bob.base = host
		bob.signIn("bob@example.com", "seven green doors sing")
		before := bob.token()
		bob.post("/auth/passkey", map[string]any{"credential": b.signed()}, 200, `"name":"Ann"`)
		if _, err := p.app.logins.Authenticate(t.Context(), before); err == nil {
			t.Error("the session of the other one goes on")
		}

		// A copy of the passkey has signed more often than this one, which the server then has heard of.
		err := p.app.db.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			return tx.Gorm(t.Context()).Exec(`UPDATE "_passkey" SET credential = replace(credential, '"signCount":', '"signCount":9')`).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		thief := p.browser()
		thief.base = host
		thief.post("/auth/passkey", map[string]any{"credential": b.signed()}, 401)
		p.wants("admin", `mutation { read_access_log(kind: "refused", limit: 5) { entries { data } } }`, "was copied")

		// What is made for adding a passkey is nothing to sign in with, and only for who asked, in his session.
		for path, body := range map[string]any{"/auth/passkeys/options": map[string]any{}, "/auth/passkeys": map[string]any{"name": "x", "credential": c}} {
			p.browser().post(path, body, 401)
		}
		good.post("/auth/passkeys", map[string]any{"name": "x", "credential": c}, 400, "cannot be used")
	})
}
