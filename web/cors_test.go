package web

import (
	"net/http"
	"strings"
	"testing"
)

// pages of the origins that are listed may call the API with a token, and no others; a cookie goes with no such call.
func TestAttackA32CORS(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	w := withAnn(t, Options{Origins: []string{app}}, nil)
	key, _ := w.key()
	nobody := w.anonymous()
	from := func(origin string) map[string]string {
		return map[string]string{"Origin": origin, "Sec-Fetch-Site": "cross-site", "Authorization": "Bearer " + key}
	}
	for origin, allowed := range map[string]bool{
		app: true, "https://app.example.com.evil.example": false, "https://evil.example": false, "http://app.example.com": false, "https://app.example.com:8443": false,
		"https://APP.example.com": false, "null": false, "*": false, "": false,
	} {
		for _, path := range []string{"/graphql", "/data/export/_user"} {
			pre := nobody.send(request{method: http.MethodOptions, path: path, header: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}})
			if ok := pre.status == 204 && pre.header.Get("Access-Control-Allow-Origin") == origin && strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "Authorization"); ok != allowed {
				t.Errorf("%s: %q may ask: %t (%d %v)", path, origin, ok, pre.status, pre.header)
			}
			if pre.header.Get("Vary") != "Origin" {
				t.Errorf("%s: caches may mix answers up", path)
			}
		}
		got := nobody.send(request{path: "/graphql", json: query("{__typename}"), header: from(origin)}).want(200)
		if ok := got.header.Get("Access-Control-Allow-Origin") == origin && origin != ""; ok != allowed {
			t.Errorf("%q may read: %t", origin, ok)
		}
		if got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%q may send cookies", origin)
		}
	}
	// The cookie of ann is refused from there, as from everywhere else, and so is signing in.
	w.send(request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"Origin": app, "Sec-Fetch-Site": "cross-site"}}).want(403)
	for _, path := range []string{"/auth/login", "/auth/me", "/auth/logout"} {
		if got := nobody.send(request{path: path, json: signIn{Email: annEmail, Password: goodPassword}, header: from(app)}); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be called from elsewhere", path)
		}
	}
	w = withAnn(t, Options{}, nil)
	if got := w.send(request{path: "/graphql", json: query("{__typename}"), header: map[string]string{"Origin": w.base}}).want(200); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("without a list, an origin is allowed")
	}
}

// a connection that a page of another site opens as a stream of events, or would upgrade to a WebSocket, is refused.
func TestAttackA32Streams(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	for _, path := range []string{"/data/imports/00000000-0000-7000-8000-000000000000/events", "/data/backup", "/data/export/_user"} {
		w.send(request{path: path, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Accept": "text/event-stream"}}).want(403, "another site")
		w.send(request{path: path, header: map[string]string{"Origin": "https://evil.example", "Accept": "text/event-stream"}}).want(403, "another site")
	}
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://evil.example"}
	if got := w.send(request{path: "/graphql?query={__typename}", header: upgrade}); got.status != 403 {
		t.Errorf("status %d: %s", got.status, got.text)
	}
}
