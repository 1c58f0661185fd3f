package web

import (
	"encoding/json"
	"testing"
)

// TestProfile shows the profiles to an administrator of a server under development, and to nobody else.
func TestProfile(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{Dev: true}, nil)
	const path = "/debug/pprof/goroutine?debug=1"
	w.send(request{path: path}).want(200, "goroutine profile:")
	w.send(request{path: "/debug/pprof/"}).want(200, "goroutine")

	w.anonymous().send(request{path: path}).want(401, "sign in", "!goroutine profile")
	w.anonymous().send(request{path: path, header: bearer(w.otherUser())}).want(403, "DENIED", "!goroutine profile")

	plain := withAnn(t, Options{}, nil)
	plain.send(request{path: path}).want(404)
	plain.send(request{path: "/debug/pprof/"}).want(404)
}

// otherUser returns a key of a user without roles.
func (w *world) otherUser() (secret string) {
	w.t.Helper()
	const query = `mutation { create_user(name: "Bob", email: "bob@example.com") { id } create_api_key(name: "k", user: "bob@example.com") { secret } }`
	var got struct {
		Data struct {
			Key struct{ Secret string } `json:"create_api_key"`
		}
	}
	must(w.t, json.Unmarshal([]byte(w.send(request{path: "/graphql", json: map[string]string{"query": query}}).want(200).text), &got))
	return got.Data.Key.Secret
}

func bearer(secret string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + secret}
}
