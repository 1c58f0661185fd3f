package web

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestSetupLoginLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{}, nil)
	ctx := t.Context()
	w.send(request{path: "/"}).want(302)
	w.send(request{path: "/login"}).want(302)
	w.send(request{path: "/setup"}).want(200, `action="/auth/setup"`)
	token, err := w.logins.SetupToken(ctx)
	must(t, err)
	form := map[string]string{"token": strings.Repeat("x", 43), "name": "Ann", "email": annEmail, "password": goodPassword}
	w.send(request{path: "/auth/setup", json: form}).want(403, "setup link is not valid")
	form["token"], form["password"] = token, "short"
	w.send(request{path: "/auth/setup", json: form}).want(400, "password")
	form["password"] = goodPassword
	done := w.send(request{path: "/auth/setup", json: form}).want(200, `"name":"Ann"`, `"administrator"`, "!token")
	if k := cookieOf(t, done); k.Name != "sid" || k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
		t.Fatalf("cookie %+v", k)
	}
	w.send(request{path: "/auth/setup", json: form}).want(403)
	if to := w.send(request{path: "/setup?token=" + token}).want(302).header.Get("Location"); to != "/login" {
		t.Fatalf("setup leads to %s", to)
	}

	w.send(request{path: "/login"}).want(200, `action="/auth/login"`)
	w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: "wrong"}}).want(401, "UNAUTHENTICATED", "e-mail address or the password")
	w.send(request{path: "/auth/login", json: signIn{Email: "bob@example.com", Password: goodPassword}}).want(401, "e-mail address or the password")
	in := cookieOf(t, w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}}).want(200, "!token"))
	cookie := map[string]string{"Cookie": "sid=" + in.Value}
	w.send(request{path: "/auth/me", header: cookie}).want(200, `"name":"Ann"`)
	w.send(request{path: "/auth/me"}).want(401, "sign in first")
	w.send(request{path: "/graphql", json: query("{__typename}"), header: cookie}).want(200, `"query_root"`)
	out := w.send(request{path: "/auth/logout", json: signIn{}, header: cookie}).want(200, `{"user":null}`)
	if k := cookieOf(t, out); k.Value != "" || k.Name != "sid" || k.Expires.Year() != 1970 {
		t.Fatalf("the cookie stays: %+v", k)
	}
	gone := w.send(request{path: "/auth/me", header: cookie}).want(401, "UNAUTHENTICATED")
	if k := cookieOf(t, gone); k.Value != "" {
		t.Fatalf("a cookie that is not good stays: %+v", k)
	}
	for _, secret := range []string{token, goodPassword, in.Value} {
		if strings.Contains(w.log.String(), secret) {
			t.Fatalf("the log holds %q", secret)
		}
	}
}

func query(q string) map[string]string { return map[string]string{"query": q} }

func cookieOf(t *testing.T, a answered) *http.Cookie {
	t.Helper()
	all := (&http.Response{Header: a.header}).Cookies()
	if len(all) != 1 {
		t.Fatalf("%d cookies: %q", len(all), a.header["Set-Cookie"])
	}
	return all[0]
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	key, revoke := w.key()
	nobody := w.anonymous()
	with := func(authorization string) request {
		return request{path: "/graphql", json: query("{_user{name}}"), header: map[string]string{"Authorization": authorization}}
	}
	a := nobody.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}, header: map[string]string{"X-Token": "1", "Sec-Fetch-Site": ""}}).want(200, `"token":"`)
	if len(a.header["Set-Cookie"]) > 0 {
		t.Fatal("a cookie beside the token")
	}
	_, token, _ := strings.Cut(a.text, `"token":"`)
	token = token[:strings.IndexByte(token, '"')]
	browser := nobody.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}, header: map[string]string{"X-Token": "1"}}).want(200, "!token")
	cookieOf(t, browser)

	nobody.send(with("Bearer "+token)).want(200, `"Ann"`)
	nobody.send(with("bearer "+key)).want(200, `"Ann"`)
	nobody.send(with("")).want(200, "errors", "!Ann")
	for _, bad := range []string{"Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer " + strings.Repeat("x", 43), token, "Bearer " + token + "x", "Bearer " + strings.Repeat("x", 9000)} {
		nobody.send(with(bad)).want(401, "UNAUTHENTICATED", "!Ann")
	}
	must(t, revoke())
	nobody.send(with("Bearer "+key)).want(401, "UNAUTHENTICATED")
	nobody.send(request{path: "/auth/logout", json: signIn{}, header: map[string]string{"Authorization": "Bearer " + token}}).want(200)
	nobody.send(with("Bearer "+token)).want(401, "UNAUTHENTICATED")

	// A header goes before the cookie, even when it is not good.
	w.send(with("")).want(200, `"Ann"`)
	w.send(with("Bearer " + token)).want(401)
}

// a page of another site has the browser of ann send what it can.
func TestAttackA32Forgery(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	const mutation = `{"query":"mutation{create_role(name:\"forged\"){id}}"}`
	host := strings.TrimPrefix(w.base, "http://")
	const js = "application/json"
	for _, c := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"own page", map[string]string{"Content-Type": js, "Sec-Fetch-Site": "same-origin"}, 200},
		{"typed in", map[string]string{"Content-Type": js, "Sec-Fetch-Site": "none"}, 200},
		{"own page, old browser", map[string]string{"Content-Type": js, "Origin": "http://" + host}, 200},
		{"charset", map[string]string{"Content-Type": js + "; charset=UTF-8", "Sec-Fetch-Site": "same-origin"}, 200},
		{"other site", map[string]string{"Content-Type": js, "Sec-Fetch-Site": "cross-site"}, 403},
		{"sibling site", map[string]string{"Content-Type": js, "Sec-Fetch-Site": "same-site"}, 403},
		{"other site with our origin", map[string]string{"Content-Type": js, "Sec-Fetch-Site": "cross-site", "Origin": "http://" + host}, 403},
		{"other origin", map[string]string{"Content-Type": js, "Origin": "http://evil.example"}, 403},
		{"other port", map[string]string{"Content-Type": js, "Origin": "http://127.0.0.1:1"}, 403},
		{"origin that begins alike", map[string]string{"Content-Type": js, "Origin": "http://" + host + ".evil.example"}, 403},
		{"origin null", map[string]string{"Content-Type": js, "Origin": "null"}, 403},
		{"no word of where from", map[string]string{"Content-Type": js}, 403},
		{"form", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}, 415},
		{"plain text", map[string]string{"Content-Type": "text/plain", "Sec-Fetch-Site": "same-origin"}, 415},
		{"multipart", map[string]string{"Content-Type": "multipart/form-data; boundary=x", "Sec-Fetch-Site": "same-origin"}, 415},
		{"JSON with a disguise", map[string]string{"Content-Type": "text/plain; application/json", "Sec-Fetch-Site": "same-origin"}, 415},
		{"no content type", map[string]string{"Sec-Fetch-Site": "same-origin"}, 415},
	} {
		for _, path := range []string{"/graphql", "/auth/logout"} {
			if path == "/auth/logout" && c.status == 200 {
				continue
			}
			if a := w.send(request{path: path, body: mutation, header: c.header}); a.status != c.status {
				t.Errorf("%s %s: status %d, want %d: %s", path, c.name, a.status, c.status, a.text)
			}
		}
	}
	// Signing a browser in to an account of the attacker is forgery too.
	w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}, header: map[string]string{"Sec-Fetch-Site": "cross-site"}}).want(403)
	w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}, header: map[string]string{"Sec-Fetch-Site": "", "Origin": "https://evil.example"}}).want(403)
	// Nothing is written by GET, and no other site may have the cookie used for reading.
	w.send(request{path: "/graphql?query=mutation{__typename}", header: map[string]string{"Sec-Fetch-Site": "none"}}).want(405)
	w.send(request{path: "/graphql?query={__typename}", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}).want(403)
	w.send(request{path: "/graphql?query={__typename}"}).want(200)
	w.send(request{path: "/auth/me"}).want(200)
	if got := w.send(request{path: "/auth/me", header: map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "none"}}).header; got.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another site may read the answers")
	}
}

func TestCookieBehindProxy(t *testing.T) {
	t.Parallel()
	proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w := withAnn(t, Options{Hosts: []string{"data.example.com"}, Proxies: proxy}, nil).anonymous()
	https := map[string]string{"Host": "data.example.com", "X-Forwarded-Proto": "https"}
	a := w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: goodPassword}, header: https}).want(200)
	k := cookieOf(t, a)
	if k.Name != "__Host-sid" || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" {
		t.Fatalf("cookie %+v", k)
	}
	if a.header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over HTTPS")
	}
	https["Cookie"] = "__Host-sid=" + k.Value
	w.send(request{path: "/auth/me", header: https}).want(200, "Ann")
	https["Cookie"] = "sid=" + k.Value // which a sibling domain could have set
	w.send(request{path: "/auth/me", header: https}).want(401)
}

// who is slowed down is not for the client to choose.
func TestAttackA26Login(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil).anonymous()
	statuses := map[int]int{}
	for i := range 8 {
		a := w.send(request{path: "/auth/login", json: signIn{Email: annEmail, Password: "wrong"}, header: map[string]string{"X-Forwarded-For": "10.0.0." + string(rune('1'+i))}})
		statuses[a.status]++
	}
	if statuses[401] != 5 || statuses[429] != 3 {
		t.Fatalf("statuses %v", statuses)
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxies   string
		forwarded string
		want      string
	}{
		{"", "10.9.9.9", "127.0.0.1"},
		{"127.0.0.0/8", "", "127.0.0.1"},
		{"127.0.0.0/8", "10.9.9.9", "10.9.9.9"},
		{"127.0.0.0/8", "1.1.1.1, 10.9.9.9", "10.9.9.9"},
		{"127.0.0.0/8 10.0.0.0/8", "1.1.1.1, 8.8.8.8,10.9.9.9", "8.8.8.8"},
		{"127.0.0.0/8", "8.8.8.8, nonsense", "127.0.0.1"},
		{"127.0.0.0/8", "::ffff:8.8.8.8", "8.8.8.8"},
		{"10.0.0.0/8", "8.8.8.8", "127.0.0.1"},
	} {
		var proxies []netip.Prefix
		for p := range strings.FieldsSeq(c.proxies) {
			proxies = append(proxies, netip.MustParsePrefix(p))
		}
		w := newWorld(t, Options{Proxies: proxies}, nil)
		w.send(request{path: "/health/live", header: map[string]string{"X-Forwarded-For": c.forwarded}}).want(200)
		if log := w.log.String(); !strings.Contains(log, " peer="+c.want+" ") {
			t.Errorf("%+v: %s", c, log)
		}
	}
}

//
func TestAttackA25Redirects(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"/", "/graphiql", "/graphiql?query=%7Ba%7D", "/a/b#c", "/a?next=https://evil.example"} {
		if got := ownPath(good); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example", "/%5cevil.example", "/%2f/evil.example",
		"https://evil.example", "https:evil.example", "javascript:alert(1)", "evil.example", "/a//b", "/\r\nSet-Cookie: a=b", "/é", " /a", "/%zz", "@evil.example", "/a\x00",
	} {
		if got := ownPath(bad); got != "/" {
			t.Errorf("%q became %q", bad, got)
		}
	}
	w := withAnn(t, Options{}, nil).anonymous()
	w.send(request{path: "/login?redirect=//evil.example"}).want(200, `data-next="/"`, "!evil")
	w.send(request{path: `/login?redirect=/graphiql?a="><script>`}).want(200, "!<script>")
	w.send(request{path: "/login?redirect=%2Fgraphiql%3Fa%3D1"}).want(200, `data-next="/graphiql?a=1"`)
	if to := w.send(request{path: "/graphiql?query=a"}).want(302).header.Get("Location"); to != "/login?redirect=%2Fgraphiql%3Fquery%3Da" {
		t.Errorf("graphiql leads to %s", to)
	}
}

func TestAuthBodies(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil).anonymous()
	const js = "application/json"
	for body, status := range map[string]int{
		"{}":                     401,
		`{"email":1}`:            400,
		`[]`:                     400,
		`{"email":"a"`:           400,
		strings.Repeat("[", 1e4): 400,
		`{"email":"` + strings.Repeat("a", authBodyLimit) + `"}`: 413,
	} {
		w.send(request{path: "/auth/login", body: body, header: map[string]string{"Content-Type": js}}).want(status, `{"errors":[{"message":`)
	}
}
