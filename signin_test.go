package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
)

const annPassword = "purple trains bake bread"

// browser is somebody at a browser.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (p *people) browser() *browser {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.t.Cleanup(client.CloseIdleConnections)
	return &browser{p.t, strings.TrimSuffix(p.url, "/graphql"), client}
}

// post sends a body as a page of the server does. The answer must have the status, and hold the words, and none after "!".
func (b *browser) post(path string, body any, status int, words ...string) map[string]any {
	b.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != status {
		b.t.Fatalf("POST %s %s: %s, want %d: %s", path, raw, res.Status, status, out)
	}
	for _, w := range words {
		not, found := strings.CutPrefix(w, "!")
		if strings.Contains(string(out), not) == found {
			b.t.Fatalf("POST %s %s: %q in the answer: %t, in %s", path, raw, not, found, out)
		}
	}
	var answer map[string]any
	if err := json.Unmarshal(out, &answer); err != nil {
		b.t.Fatal(err)
	}
	return answer
}

func (b *browser) signIn(email, password string, words ...string) {
	b.t.Helper()
	b.post("/auth/login", map[string]string{"email": email, "password": password}, 200, words...)
}

// do sends a mutation; the answer must hold the words, and none after "!".
func (b *browser) do(query string, words ...string) map[string]any {
	b.t.Helper()
	data, _ := b.post("/graphql", map[string]string{"query": query}, 200, words...)["data"].(map[string]any)
	return data
}

// at returns the value at a path of a document.
func at(doc any, path ...string) string {
	for _, name := range path {
		m, _ := doc.(map[string]any)
		doc = m[name]
	}
	s, _ := doc.(string)
	return s
}

// appCode is what an authenticator app shows, some steps of 30 seconds from now, written apart from the server.
func appCode(t *testing.T, secret string, steps int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30+steps)))
	sum := mac.Sum(nil)
	o := sum[19] & 15
	n := uint32(sum[o]&127)<<24 | uint32(sum[o+1])<<16 | uint32(sum[o+2])<<8 | uint32(sum[o+3])
	return fmt.Sprintf("%06d", n%1000000)
}

// ann makes a user with a password.
func (p *people) ann(roles string) {
	p.t.Helper()
	p.must("admin", fmt.Sprintf(`mutation { create_user(name: "Ann", email: "ann@example.com", password: %q, roles: [%s]) { id } }`, annPassword, roles))
}

func TestSecondFactor(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		b, old := p.browser(), p.browser()
		b.signIn("ann@example.com", annPassword, `"name":"Ann"`, "!second_factor")
		old.signIn("ann@example.com", annPassword)
		app := b.do(`mutation { enroll_totp { secret uri qr } }`, "otpauth://totp/Colonnade:ann@example.com")
		secret := at(app, "enroll_totp", "secret")
		first := appCode(t, secret, 0) // in time, also when the next step begins meanwhile
		second := appCode(t, secret, 1)
		b.do(`mutation { confirm_totp(code: "000000") { recovery_codes } }`, "not the code")
		old.do(`{ customer { name } }`, "!errors") // it counts from the first code on
		done := b.do(`mutation { confirm_totp(code: "`+first+`") { recovery_codes } }`, "recovery_codes")
		codes := done["confirm_totp"].(map[string]any)["recovery_codes"].([]any)
		if len(codes) != 10 {
			t.Fatal(codes)
		}
		b.do(`{ customer { name } }`, "!errors")
		old.post("/graphql", map[string]string{"query": `{ customer { name } }`}, 401, "waits for your second factor")

		// The password alone is good for nothing, and no code is good twice.
		b = p.browser()
		b.signIn("ann@example.com", annPassword, `"user":null`, `"second_factor":true`, "!Ann")
		for _, path := range []string{"/graphql", "/auth/logout"} {
			b.post(path, map[string]string{"query": `{ __typename }`}, 401)
		}
		b.post("/auth/second-factor", map[string]string{"code": first}, 401, "was used") // of the confirmation
		b.post("/auth/second-factor", map[string]string{"code": second}, 200, `"name":"Ann"`)
		b.do(`{ customer { name } }`, "!errors")
		b.do(`mutation { list_sessions { sessions { second_factor current method } } }`, `"second_factor":true,"current":true,"method":"password"`)
		other := p.browser()
		other.signIn("ann@example.com", annPassword, `"second_factor":true`)
		other.post("/auth/second-factor", map[string]string{"code": second}, 401, "was used")
		other.post("/auth/second-factor", map[string]string{"code": strings.ToLower(codes[3].(string))}, 200, `"name":"Ann"`)
		third := p.browser()
		third.signIn("ann@example.com", annPassword)
		third.post("/auth/second-factor", map[string]string{"code": codes[3].(string)}, 401, "was used")
		program := p.browser()
		program.post("/auth/login", map[string]string{"email": "ann@example.com", "password": annPassword, "code": codes[4].(string)}, 200, `"name":"Ann"`)

		// Guessing is slowed down.
		for range 5 {
			third.post("/auth/second-factor", map[string]string{"code": "000000"}, 401)
		}
		third.post("/auth/second-factor", map[string]string{"code": codes[5].(string)}, 429)
	})
}

// age has all second factors proved that long ago.
func (p *people) age(by time.Duration) {
	p.t.Helper()
	err := p.app.db.Tx(p.t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
		return tx.Gorm(p.t.Context()).Exec(`UPDATE "_session" SET strong_at = ? WHERE strong_at IS NOT NULL`, db.Time{Time: time.Now().Add(-by)}).Error
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.app.logins.Forget()
}

// TestStepUp has actions that want a second factor that was proved just now, of who has one.
func TestStepUp(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"administrator"`)
		b, plain := p.browser(), p.browser()
		b.signIn("ann@example.com", annPassword)
		steps := map[string]string{
			"create_api_key":        `mutation { create_api_key(name: "x") { id } }`,
			"reset_password":        `mutation { reset_password(user: "ann@example.com") { path } }`,
			"require_second_factor": `mutation { require_second_factor(role: "clerk", required: false) { role } }`,
			"put_role":              `mutation { put_role(name: "payer", second_factor: %t) { role } }`,
			"new_recovery_codes":    `mutation { new_recovery_codes { recovery_codes } }`,
			"rotate_secrets":        `mutation { rotate_secrets { rewrapped } }`,
			"drop_provider":         `mutation { drop_provider(name: "none") { id } }`,
		}
		secret := at(b.do(`mutation { enroll_totp { secret } }`), "enroll_totp", "secret")
		first, second := appCode(t, secret, 0), appCode(t, secret, 1)
		b.do(`mutation { confirm_totp(code: "`+first+`") { recovery_codes } }`, "!errors")
		try := func(required bool, words ...string) {
			t.Helper()
			for name, query := range steps {
				if name == "put_role" {
					query = fmt.Sprintf(query, required)
				}
				b.do(query, words...)
			}
		}
		try(true, "!second factor again")
		p.age(14 * time.Minute)
		try(true, "!second factor again")
		p.age(15 * time.Minute)
		try(false, "second factor again", "permission-error")
		b.do(`{ customer { name } }`, "!errors") // the rest goes on
		b.post("/auth/second-factor", map[string]string{"code": second}, 200)
		try(false, "!second factor again")

		// Who has none is not asked for it.
		p.must("admin", `mutation { create_user(name: "Bob", email: "bob@example.com", password: "seven green doors sing", roles: ["clerk"]) { id } }`)
		plain.signIn("bob@example.com", "seven green doors sing")
		plain.do(steps["create_api_key"], "!errors")
	})
}

// TestSecondFactorRequired has a role that asks for a second factor of who holds it.
func TestSecondFactorRequired(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		b := p.browser()
		b.signIn("ann@example.com", annPassword)
		b.do(`{ customer { name } }`, "!errors")
		p.must("admin", `mutation { require_second_factor(role: "clerk", required: true) { role } }`)
		for _, query := range []string{`{ customer { name } }`, `mutation { insert_customer_one(object: {name: "x"}) { id } }`, `mutation { create_api_key(name: "x") { secret } }`, `{ _user { name } }`} {
			b.do(query, "errors", "!\"data\":{")
		}
		b.do(`mutation { create_api_key(name: "x") { secret } }`, "set it up with enroll_totp")
		p.key("admin", "robot", `, user: "ann@example.com"`)
		p.wants("robot", `{ customer { name } }`, "!errors") // keys are not asked
		p.wants("robot", `mutation { enroll_totp { secret } }`, "permission-error", "not with a key")
		secret := at(b.do(`mutation { enroll_totp { secret } }`), "enroll_totp", "secret")
		b.do(`mutation { confirm_totp(code: "`+appCode(t, secret, 0)+`") { recovery_codes } }`, "!errors")
		b.do(`{ customer { name } }`, "!errors")
		b.do(`mutation { require_second_factor(role: "clerk", required: false) { role } }`, "permission-error")

		// Who has lost it is helped by an administrator, and sets it up anew.
		p.must("admin", `mutation { drop_second_factor(user: "ann@example.com") { id } }`)
		b = p.browser()
		b.signIn("ann@example.com", annPassword, "!second_factor")
		b.do(`{ customer { name } }`, "errors")
		b.do(`mutation { run_flow(name: "x") { run_id } }`, "set it up with enroll_totp")
		p.must("admin", `mutation { require_second_factor(role: "clerk", required: false) { role } }`)
		b.do(`{ customer { name } }`, "!errors")
		for _, table := range []string{"_secret", "_factor", "_recovery_code"} {
			var n int64
			if err := p.app.db.Gorm(t.Context()).Raw(`SELECT count(*) FROM "` + table + `"`).Scan(&n).Error; err != nil || n != 0 {
				t.Errorf("%s: %d rows are left, %v", table, n, err)
			}
		}
	})
}

func TestPasswords(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		p.wants("admin", `mutation { create_user(name: "Bob", email: "bob@example.com", password: "Password1234") { id } }`, "easy to guess")
		b, other := p.browser(), p.browser()
		b.signIn("ann@example.com", annPassword)
		other.signIn("ann@example.com", annPassword)
		change := func(old, new string) string {
			return fmt.Sprintf(`mutation { change_password(old: %q, new: %q) { id } }`, old, new)
		}
		b.do(change("not the password", "seven green doors sing"), "this is not your password")
		b.do(change(annPassword, "ann@example.com1"), "easy to guess")
		b.do(change(annPassword, "short"), "use at least 12")
		b.do(change(annPassword, "seven green doors sing"), "!errors")
		b.do(`{ customer { name } }`, "!errors")
		other.post("/graphql", map[string]string{"query": `{ customer { name } }`}, 401)
		other.post("/auth/login", map[string]string{"email": "ann@example.com", "password": annPassword}, 401)
		p.key("admin", "robot", `, user: "ann@example.com"`)
		p.wants("robot", change("seven green doors sing", annPassword), "permission-error", "not with a key")

		// A link of an administrator works once, and ends what there is of sessions.
		link := at(p.must("admin", `mutation { reset_password(user: "ann@example.com") { path } }`), "reset_password", "path")
		_, token, _ := strings.Cut(link, "#")
		b.do(`mutation { reset_password(user: "admin@example.com") { path } }`, "permission-error")
		other.post("/auth/reset", map[string]string{"token": token + "x", "password": annPassword}, 403)
		other.post("/auth/reset", map[string]string{"token": token, "password": "password password"}, 400, "easy to guess")
		other.post("/auth/reset", map[string]string{"token": token, "password": annPassword}, 200)
		other.post("/auth/reset", map[string]string{"token": token, "password": annPassword}, 403, "was used")
		b.post("/graphql", map[string]string{"query": `{ customer { name } }`}, 401)
		other.signIn("ann@example.com", annPassword, `"name":"Ann"`)
		first := at(p.must("admin", `mutation { reset_password(user: "ann@example.com") { path } }`), "reset_password", "path")
		p.must("admin", `mutation { reset_password(user: "ann@example.com") { path } }`)
		other.post("/auth/reset", map[string]string{"token": strings.TrimPrefix(first, "/reset#"), "password": annPassword}, 403) // there is a newer one
	})
}

func TestSessions(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(`"clerk"`)
		p.must("admin", `mutation { put_role(name: "lead", inherits: ["clerk"], actions: ["manage_access"]) { role } }`)
		p.sure(t, "lea", []string{"lead"})
		p.sure(t, "bob", []string{"clerk"})
		b, other := p.browser(), p.browser()
		b.signIn("ann@example.com", annPassword)
		other.signIn("ann@example.com", annPassword)
		all := b.do(`mutation { list_sessions { sessions { id current address agent } } }`, `"127.0.0.1"`, "Go-http-client")["list_sessions"].(map[string]any)["sessions"].([]any)
		if len(all) != 2 || all[0].(map[string]any)["current"] != false || all[1].(map[string]any)["current"] != true {
			t.Fatal(all)
		}
		end := `mutation { end_sessions(id: "` + at(all[0], "id") + `") { ended } }`
		p.wants("bob", end, "there is no such session")
		p.wants("bob", `mutation { list_sessions(user: "ann@example.com") { sessions { id } } }`, "permission-error")
		b.do(end, `"ended":1`)
		other.post("/graphql", map[string]string{"query": `{ customer { name } }`}, 401)
		p.wants("lea", `mutation { list_sessions(user: "ann@example.com") { sessions { agent } } }`, "Go-http-client")
		for _, user := range []string{"admin@example.com", "nobody@example.com"} { // who there is beyond, is not told
			p.wants("lea", `mutation { end_sessions(user: "`+user+`") { ended } }`, "you may not administer this user, or there is no such user")
		}
		p.wants("lea", `mutation { end_sessions(user: "ann@example.com") { ended } }`, `"ended":1`)
		b.post("/graphql", map[string]string{"query": `{ customer { name } }`}, 401)

		// A session gets another token when the rights of its user change; at log-in the one from before goes.
		b.signIn("ann@example.com", annPassword)
		b.do(`{ customer { name } }`)
		before := b.token()
		b.do(`{ customer { name } }`)
		if b.token() != before {
			t.Fatal("another token without a reason")
		}
		p.must("admin", `mutation { assign_role(role: "lead", user: "ann@example.com") { role } }`)
		b.do(`{ customer { name } }`, "!errors")
		after := b.token()
		if after == before {
			t.Fatal("the rights have changed, and the token is the same")
		}
		b.do(`{ customer { name } }`, "!errors")
		if b.token() != after {
			t.Fatal("the token changed again")
		}
		b.signIn("ann@example.com", annPassword)
		if _, err := p.app.logins.Authenticate(t.Context(), after); core.KindOf(err) != core.Unknown {
			t.Error("the session from before the log-in is good:", err)
		}
	})
}

// token returns the token of the session.
func (b *browser) token() string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(req.URL) {
		return c.Value
	}
	return ""
}

// TestActOnBehalf has somebody act for another, who holds less; both are in the history.
func TestActOnBehalf(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.must("admin", `mutation {
			a: put_role(name: "own", grants: [{table: "customer", privileges: ["create", "read", "update"], level: "own"}]) { role }
			b: put_role(name: "helper", inherits: ["clerk"], actions: ["act_on_behalf"]) { role }
			c: put_role(name: "payer", grants: [{table: "invoice", privileges: ["read", "update"]}]) { role }
		}`)
		for user, role := range map[string]string{"amy": "own", "hal": "helper", "pam": "payer", "cat": "clerk"} {
			p.sure(t, user, []string{role})
		}
		as := func(user, behalf, query string, words ...string) {
			t.Helper()
			body, err := json.Marshal(map[string]string{"query": query})
			if err != nil {
				t.Fatal(err)
			}
			_, out := p.request(t, user, http.MethodPost, "/graphql", body, []byte("Content-Type: application/json\nColonnade-On-Behalf-Of: "+behalf))
			for _, w := range words {
				not, found := strings.CutPrefix(w, "!")
				if strings.Contains(string(out), not) == found {
					t.Errorf("%s for %s: %s\nanswers %s\nwhere %q is found: %t", user, behalf, query, out, not, found)
				}
			}
		}
		p.must("hal", `mutation { insert_customer_one(object: {name: "of hal"}) { id } }`)
		as("hal", "amy@example.com", `mutation { insert_customer_one(object: {name: "of amy"}) { id } }`, "!errors")
		as("hal", "amy@example.com", `{ customer { name } }`, "of amy", "!of hal") // the rights of amy, and no others
		ids := p.must("admin", `{ a: _user(where: {name: {_eq: "amy"}}) { id } h: _user(where: {name: {_eq: "hal"}}) { id } }`)
		id := func(who string) string { return at(ids[who].([]any)[0], "id") }
		var actor, behalf string
		row := p.app.db.Gorm(t.Context()).Raw(`SELECT CAST(actor AS text), CAST(behalf AS text) FROM "_history" WHERE behalf IS NOT NULL`).Row()
		if err := row.Scan(&actor, &behalf); err != nil || actor != id("a") || behalf != id("h") {
			t.Errorf("the history says %s on behalf of %s, %v", actor, behalf, err)
		}
		for _, name := range []string{"pam@example.com", "admin@example.com", "nobody@example.com", "' OR 1=1"} {
			as("hal", name, `{ customer { name } }`, "you may not act on behalf of this user, or there is no such user", "!of hal")
		}
		as("cat", "amy@example.com", `{ customer { name } }`, "do not give you the right to act on behalf", "!of amy")
		as("hal", "amy@example.com", `mutation { create_api_key(name: "x") { secret } }`, "permission-error", "!col_")
		as("hal", "amy@example.com", `mutation { list_sessions { sessions { id } } }`, "for themselves")
		as("admin", "pam@example.com", `{ invoice { title } }`, "!errors")
		as("nobody", "amy@example.com", `{ customer { name } }`, "sign in", "!of amy")
	})
}

// somebody who is kept out goes on, with what he has, here and in another process.
func TestAttackA07KeptOut(t *testing.T) {
	for _, c := range []struct{ name, end string }{
		{"disabled", `mutation { disable_user(user: "ann@example.com") { id } }`},
		{"role dropped", `mutation { drop_role(name: "clerk") { role } }`},
		{"role taken", `mutation { unassign_role(role: "clerk", user: "ann@example.com") { role } }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachPeople(t, func(t *testing.T, p *people) {
				p.ann(`"clerk"`)
				p.must("admin", `mutation { insert_customer_one(object: {name: "Bob"}) { id } }`)
				b := p.browser()
				b.signIn("ann@example.com", annPassword)
				p.key("admin", "robot", `, user: "ann@example.com"`)
				b.do(`{ customer { name } }`, "Bob")
				p.wants("robot", `{ customer { name } }`, "Bob")
				p.must("admin", c.end)
				p.wants("robot", `{ customer { name } }`, "!Bob", "error")
				p.wants("robot", `mutation { insert_customer_one(object: {name: "Eve"}) { id } }`, "error")
				status := 200
				if c.name == "disabled" {
					status = 401
					b.post("/auth/login", map[string]string{"email": "ann@example.com", "password": annPassword}, 401)
				}
				b.post("/graphql", map[string]string{"query": `{ customer { name } }`}, status, "!Bob", "error")
			})
		})
	}
}

// Log-ins of somebody who is not there take the same work as those with a wrong password.
func TestLogInTellsNobodyApart(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		p.ann(``)
		var said string
		for _, email := range []string{"ann@example.com", "nobody@example.com"} {
			_, err := p.app.logins.Login(t.Context(), email, "wrong horse battery", authz.Peer{Address: "127.0.0.1"})
			msg := core.AsError(err).Public()
			if core.KindOf(err) != core.Unknown || said != "" && msg != said {
				t.Errorf("%s: %v", email, err)
			}
			said = msg
		}
	})
}
