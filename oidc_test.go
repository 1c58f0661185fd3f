package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"colonnade/core/secret"
)

// withProviders is a program that may call the providers of a test.
func withProviders(t *testing.T, f func(t *testing.T, p *people, port string)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, c *config) {
		port := mayCall(t, c)
		f(t, &people{newScenario(t, c), t, c}, port)
	})
}

// mayCall has the program call a port of this machine, which is returned, and gives it a key for secrets.
func mayCall(t *testing.T, c *config) (port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	c.Private, c.Ports, c.SecretsKey = "127.0.0.0/8", port, t.TempDir()+"/keys"
	if _, err := secret.AddKey(c.SecretsKey); err != nil {
		t.Fatal(err)
	}
	return port
}

// get follows one address, of this server or of a provider.
func (b *browser) get(address string) (*http.Response, string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(req)
}

func (b *browser) send(req *http.Request) (*http.Response, string) {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(out)
}

// leaveFor returns where the browser is sent to sign in with the provider.
func (b *browser) leaveFor(name string, more map[string]string) string {
	b.t.Helper()
	body := map[string]string{"next": "/account"}
	for k, v := range more {
		body[k] = v
	}
	return b.post("/auth/oidc/"+name+"/leave", body, 200)["location"].(string)
}

var formAction = regexp.MustCompile(`action="([^"]+)"`)

// through signs in at the real provider, whose forms it fills in, and comes back. It returns the last answer of our server.
func (b *browser) through(location, login string) (*http.Response, string) {
	b.t.Helper()
	for range 20 {
		if strings.HasPrefix(location, b.base) {
			return b.get(location)
		}
		res, page := b.get(location)
		if to := res.Header.Get("Location"); to != "" {
			location = absolute(b.t, location, to)
			continue
		}
		form := formAction.FindStringSubmatch(page)
		if form == nil {
			b.t.Fatalf("%s: no form: %s", location, page)
		}
		fields := url.Values{"prompt": {"consent"}}
		if strings.Contains(page, `name="login"`) {
			fields = url.Values{"prompt": {"login"}, "login": {login}, "password": {"any"}}
		}
		req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, absolute(b.t, location, form[1]), strings.NewReader(fields.Encode()))
		if err != nil {
			b.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, page = b.send(req)
		if location = absolute(b.t, req.URL.String(), res.Header.Get("Location")); res.Header.Get("Location") == "" {
			b.t.Fatalf("the form leads nowhere: %s %s", res.Status, page)
		}
	}
	b.t.Fatal("the provider goes round in circles")
	return nil, ""
}

func absolute(t *testing.T, base, to string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	if u, err = u.Parse(to); err != nil {
		t.Fatal(err)
	}
	return u.String()
}

const oidcModules = "tests/oidc/node_modules"

// TestOIDCProvider signs in with a provider that somebody else wrote: npm ci --prefix tests/oidc brings it.
func TestOIDCProvider(t *testing.T) {
	if _, err := os.Stat(oidcModules); err != nil {
		lacking(t, "no provider: npm ci --prefix tests/oidc")
	}
	withProviders(t, func(t *testing.T, p *people, port string) {
		base := strings.TrimSuffix(p.url, "/graphql")
		startProvider(t, port, base+"/auth/oidc/corporate/callback")
		p.must("admin", `mutation { a: put_role(name: "sales", actions: ["run_flows"]) { role } b: put_role(name: "guest") { role } }`)
		put := func(more string) string {
			return fmt.Sprintf(`mutation { put_provider(name: "corporate", label: "Corporate account", issuer: "http://127.0.0.1:%s", client_id: "colonnade", client_secret: "canary-client-secret",
				scopes: ["email", "profile", "groups"], groups_claim: "groups", group_roles: [{group: "sales", role: "sales"}]%s) { id } }`, port, more)
		}
		p.must("admin", put(""))
		b := p.browser()
		if _, page := b.get("/login"); !strings.Contains(page, "Corporate account") {
			t.Fatal("no button:", page)
		}

		// A first log-in is refused, then makes a user, whose roles follow his groups.
		_, page := b.through(b.leaveFor("corporate", nil), "ann")
		if !strings.Contains(page, "no account is connected with your log-in at Corporate account") {
			t.Fatal(page)
		}
		p.must("admin", put(`, on_first_login: "create", default_roles: ["guest"]`))
		b = p.browser()
		res, page := b.through(b.leaveFor("corporate", nil), "ann")
		if res.StatusCode != 302 || res.Header.Get("Location") != "/account" {
			t.Fatal(res.Status, page)
		}
		roles := `{ _user(where: {email: {_eq: "ann@example.com"}}) { name second_factor } }`
		p.wants("admin", roles, `"name":"ann"`)
		if who, err := b.me(); err != nil || strings.Join(who, " ") != "guest sales" {
			t.Fatal(who, err)
		}
		b.do(`mutation { list_sessions { sessions { method } } list_logins { logins { subject } } }`, `"method":"corporate"`, `"subject":"ann"`)
		if out := b.post("/auth/logout", map[string]string{}, 200); !strings.Contains(fmt.Sprint(out["location"]), "/session/end?") {
			t.Errorf("signing out leads to %v", out["location"])
		}

		// Another group, another role, at the next log-in.
		p.must("admin", strings.ReplaceAll(put(`, on_first_login: "create"`), `group: "sales"`, `group: "nobody"`))
		b.through(b.leaveFor("corporate", nil), "ann")
		if who, err := b.me(); err != nil || strings.Join(who, " ") != "guest" {
			t.Fatal(who, err)
		}
		// Pre-hijack: an account of that address is there, and is not taken over; nor does an unverified address make one.
		p.must("admin", `mutation { create_user(name: "Bob", email: "bob@example.com", password: "purple trains bake bread") { id } }`)
		thief := p.browser()
		if _, page = thief.through(thief.leaveFor("corporate", nil), "bob"); !strings.Contains(page, "there is an account with your e-mail address, which is not connected") {
			t.Fatal(page)
		}
		if _, page = p.browser().through(p.browser().leaveFor("corporate", nil), "bob"); !strings.Contains(page, "begin again") { // begun in another browser
			t.Fatal(page)
		}
		eve := p.browser()
		if _, page = eve.through(eve.leaveFor("corporate", nil), "eve"); !strings.Contains(page, "e-mail address was verified") {
			t.Fatal(page)
		}
		// Who signs in to his account connects the log-in with it, and signs in with it from then on.
		bob := p.browser()
		bob.post("/auth/oidc/corporate/leave", map[string]string{"connect": "1"}, 401)
		bob.signIn("bob@example.com", "purple trains bake bread")
		bob.through(bob.leaveFor("corporate", map[string]string{"connect": "1"}), "bob")
		bob = p.browser()
		if res, page := bob.through(bob.leaveFor("corporate", nil), "bob"); res.Header.Get("Location") != "/account" {
			t.Fatal(res.Status, page)
		}
		again := p.browser()
		again.signIn("bob@example.com", "purple trains bake bread")
		if _, page := again.through(again.leaveFor("corporate", map[string]string{"connect": "1"}), "ann"); !strings.Contains(page, "connected with another account") {
			t.Fatal(page)
		}
		p.must("admin", `mutation { disable_user(user: "bob@example.com") { id } }`)
		bob = p.browser()
		if _, page := bob.through(bob.leaveFor("corporate", nil), "bob"); !strings.Contains(page, "disabled") {
			t.Fatal(page)
		}

		// who moves the provider to a server of his own does not get the secret sent there; nor is it ever shown.
		p.wants("admin", `mutation { list_providers { providers { name has_secret } } }`, `"has_secret":true`)
		p.must("admin", strings.NewReplacer("127.0.0.1", "localhost", `client_secret: "canary-client-secret",`, "").Replace(put("")))
		p.wants("admin", `mutation { list_providers { providers { name has_secret } } }`, `"has_secret":false`)
		p.wants("admin", `mutation { drop_provider(name: "corporate") { id } }`, "!errors")
	})
}

// me returns the roles of who is signed in.
func (b *browser) me() ([]string, error) {
	res, body := b.get("/auth/me")
	var out struct{ User struct{ Roles []string } }
	if res.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", res.Status, body)
	}
	return out.User.Roles, json.Unmarshal([]byte(body), &out)
}

func startProvider(t *testing.T, port, callback string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "provider.mjs", port, callback)
	cmd.Dir = "tests/oidc"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Fatal("the provider did not start")
		}
		if lines.Text() == "ready" {
			break
		}
	}
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forger is a provider that says what a test has it say.
type forger struct {
	*httptest.Server
	key    *rsa.PrivateKey
	mu     sync.Mutex
	claims func(c map[string]any) map[string]any // of the next token, from what would be right
	sign   func(payload []byte) string
	nonce  string
	client string
}

func newForger(t *testing.T, port string) *forger {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{key: key, client: "colonnade"}
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}}
	f.Start()
	t.Cleanup(f.Close)
	f.right()
	return f
}

// right has the forger say what is true.
func (f *forger) right() {
	f.claims = func(c map[string]any) map[string]any { return c }
	f.sign = func(payload []byte) string { return signed(f.key, jose.RS256, "k1", payload) }
}

func signed(key any, alg jose.SignatureAlgorithm, id string, payload []byte) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", id).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	j, err := s.Sign(payload)
	if err != nil {
		panic(err)
	}
	out, err := j.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return out
}

func (f *forger) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		out = map[string]any{"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
	case "/keys":
		out = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	case "/token":
		out = map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": f.token(f.client)}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

func (f *forger) token(audience string) string {
	now := time.Now()
	payload, err := json.Marshal(f.claims(map[string]any{"iss": f.URL, "sub": "s1", "aud": audience, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nonce": f.nonce, "email": "ann@example.com", "email_verified": true}))
	if err != nil {
		panic(err)
	}
	return f.sign(payload)
}

// log-ins that a provider, or somebody in between, has forged.
func TestAttackA24ForgedLogIns(t *testing.T) {
	withProviders(t, func(t *testing.T, p *people, port string) {
		f := newForger(t, port)
		p.must("admin", fmt.Sprintf(`mutation { put_provider(name: "forger", issuer: %q, client_id: "colonnade", client_secret: "x", on_first_login: "create") { id } }`, f.URL))
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		set := func(name string, v any) func() {
			return func() {
				f.claims = func(c map[string]any) map[string]any {
					c[name] = v
					return c
				}
			}
		}
		unsigned := func(payload []byte) string {
			head := `{"alg":"none","typ":"JWT"}`
			return encode64([]byte(head)) + "." + encode64(payload) + "."
		}
		for _, c := range []struct {
			name  string
			forge func()
			back  func(q url.Values)
			good  bool
		}{
			{"wrong signature", func() { f.sign = func(b []byte) string { return signed(other, jose.RS256, "k1", b) } }, nil, false},
			{"key that is not there", func() { f.sign = func(b []byte) string { return signed(other, jose.RS256, "k2", b) } }, nil, false},
			{"algorithm none", func() { f.sign = unsigned }, nil, false},
			{"secret as key", func() {
				f.sign = func(b []byte) string { return signed([]byte("x0123456789abcdef0123456789abcdef"), jose.HS256, "k1", b) }
			}, nil, false},
			{"wrong issuer", set("iss", "https://evil.example"), nil, false},
			{"issuer with a slash", set("iss", f.URL+"/"), nil, false},
			{"wrong audience", set("aud", "another"), nil, false},
			{"audience of several for another", set("aud", []string{"colonnade", "another"}), nil, false},
			{"party is another", set("azp", "another"), nil, false},
			{"expired", set("exp", time.Now().Add(-time.Hour).Unix()), nil, false},
			{"no end", func() {
				f.claims = func(c map[string]any) map[string]any {
					delete(c, "exp")
					return c
				}
			}, nil, false},
			{"wrong nonce", set("nonce", "another"), nil, false},
			{"no nonce", set("nonce", ""), nil, false},
			{"nobody", set("sub", ""), nil, false},
			{"wrong state", nil, func(q url.Values) { q.Set("state", q.Get("state")+"x") }, false},
			{"no state", nil, func(q url.Values) { q.Del("state") }, false},
			{"answer of another provider", nil, func(q url.Values) { q.Set("iss", "https://evil.example") }, false},
			{"no code", nil, func(q url.Values) { q.Del("code") }, false},
			{"error", nil, func(q url.Values) { q.Set("error", "access_denied<script>") }, false},
			{"as it should be", nil, nil, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := p.browser()
				to, err := url.Parse(b.leaveFor("forger", nil))
				if err != nil {
					t.Fatal(err)
				}
				asked := to.Query()
				if asked.Get("code_challenge_method") != "S256" || len(asked.Get("code_challenge")) != 43 {
					t.Fatal("no PKCE:", to)
				}
				f.mu.Lock()
				f.right()
				f.nonce = asked.Get("nonce")
				if c.forge != nil {
					c.forge()
				}
				f.mu.Unlock()
				back := url.Values{"state": {asked.Get("state")}, "code": {"c"}}
				if c.back != nil {
					c.back(back)
				}
				res, page := b.get("/auth/oidc/forger/callback?" + back.Encode())
				_, err = b.me()
				if got := err == nil && res.StatusCode == 302; got != c.good {
					t.Fatalf("%s, signed in: %t\n%s", res.Status, err == nil, page)
				}
				if strings.Contains(page, "<script>") && strings.Contains(page, "access_denied") {
					t.Error("the page holds what the provider says:", page)
				}
				if c.good { // and not twice
					if res, _ := b.get("/auth/oidc/forger/callback?" + back.Encode()); res.StatusCode == 302 {
						t.Error("the same answer signs in twice")
					}
				}
			})
		}
	})
}

// TestBearer has access tokens of a provider as bearer tokens.
func TestBearer(t *testing.T) {
	withProviders(t, func(t *testing.T, p *people, port string) {
		f := newForger(t, port)
		const audience = "https://data.example.com"
		put := fmt.Sprintf(`mutation { put_provider(name: "forger", issuer: %q, client_id: "colonnade"%%s) { id } }`, f.URL)
		p.must("admin", fmt.Sprintf(put, fmt.Sprintf(`, bearer_audience: %q`, audience)))
		p.wants("admin", fmt.Sprintf(put, `, bearer_audience: "colonnade"`), "must differ from the client_id")
		p.must("admin", `mutation { create_user(name: "Ann", email: "ann@example.com") { id } }`)
		try := func(token string) string {
			p.keys["token"] = token
			return p.do("token", `{ __typename }`)
		}
		refused := func(what, token string) {
			t.Helper()
			if out := try(token); !strings.Contains(out, "UNAUTHENTICATED") {
				t.Errorf("%s: %s", what, out)
			}
		}
		good := f.token(audience)
		refused("a log-in that is connected with nobody", good)
		p.must("admin", `mutation { connect_login(user: "ann@example.com", provider: "forger", subject: "s1") { id } }`)
		if out := try(good); !strings.Contains(out, "query_root") {
			t.Fatal(out)
		}
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		refused("the token of a log-in", f.token("colonnade"))
		refused("no audience", f.token(""))
		f.sign = func(b []byte) string { return signed(other, jose.RS256, "k1", b) }
		refused("another key", f.token(audience))
		f.sign = func(b []byte) string { return signed([]byte("0123456789abcdef0123456789abcdef"), jose.HS256, "k1", b) }
		refused("a symmetric key", f.token(audience))
		f.right()
		for name, v := range map[string]any{"iss": "https://evil.example", "exp": time.Now().Add(-time.Minute).Unix(), "sub": "s2", "nbf": time.Now().Add(time.Hour).Unix()} {
			f.claims = func(c map[string]any) map[string]any {
				c[name] = v
				return c
			}
			refused(name, f.token(audience))
		}
		f.right()
		for _, bad := range []string{"a.b.c", good + "x", "." + good, strings.Repeat("a", 9000) + ".b.c"} {
			refused(bad[:min(len(bad), 20)], bad)
		}
		p.must("admin", `mutation { disable_user(user: "ann@example.com") { id } }`)
		refused("a disabled user", good)
	})
}
