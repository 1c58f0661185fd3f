package web

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"colonnade/core"
)

// persistedQuery is what Apollo's link sends.
func persistedQuery(hash string) map[string]any {
	return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}
}

func TestPersistedQuery(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	text := "query Named { __typename }"
	hash := core.HashOfDocument(text)
	post := func(body map[string]any) answered { return w.send(request{path: "/graphql", json: body}) }
	post(map[string]any{"extensions": persistedQuery(hash)}).want(200, `"message":"PersistedQueryNotFound"`, `"code":"PERSISTED_QUERY_NOT_FOUND"`)

	for _, wrong := range []string{"{ __typename }", text + " ", "{"} {
		post(map[string]any{"query": wrong, "extensions": persistedQuery(hash)}).want(200, "PERSISTED_QUERY_HASH_MISMATCH")
	}
	bad := "{ nothing_like_it }"
	post(map[string]any{"query": bad, "extensions": persistedQuery(core.HashOfDocument(bad))}).want(200, "validation-failed")
	post(map[string]any{"extensions": persistedQuery(core.HashOfDocument(bad))}).want(200, "PersistedQueryNotFound") // what is not valid is not kept
	post(map[string]any{"extensions": persistedQuery(hash)}).want(200, "PersistedQueryNotFound")

	post(map[string]any{"query": text, "extensions": persistedQuery(hash)}).want(200, `{"data":{"__typename":"query_root"}}`)
	post(map[string]any{"extensions": persistedQuery(hash)}).want(200, `{"data":{"__typename":"query_root"}}`)
	post(map[string]any{"extensions": persistedQuery(strings.ToUpper(hash))}).want(200, `query_root`)
	post(map[string]any{"documentId": "sha256:" + hash}).want(200, `query_root`)
	post(map[string]any{"documentId": hash}).want(200, "no registered operation of that name")

	// Nobody learns what somebody else has sent, and a stranger keeps nothing.
	stranger := w.anonymous()
	stranger.send(request{path: "/graphql", json: map[string]any{"extensions": persistedQuery(hash)}}).want(200, "PersistedQueryNotFound")
	stranger.send(request{path: "/graphql", json: map[string]any{"query": text, "extensions": persistedQuery(hash)}}).want(200, "query_root")
	stranger.send(request{path: "/graphql", json: map[string]any{"extensions": persistedQuery(hash)}}).want(200, "PersistedQueryNotFound")

	for _, bad := range []string{`{"persistedQuery":{"version":2,"sha256Hash":"` + hash + `"}}`, `{"persistedQuery":{"version":1}}`, `{"persistedQuery":7}`, `{"persistedQuery":null}`, `{"other":1}`} {
		post(map[string]any{"extensions": json.RawMessage(bad)}).want(200, `"errors"`)
	}
}

// A mutation that is named is still no mutation by GET.
func TestPersistedMutationByGET(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	text := "mutation { __typename }"
	hash := core.HashOfDocument(text)
	w.send(request{path: "/graphql", json: map[string]any{"query": text, "extensions": persistedQuery(hash)}}).want(200, "mutation_root")
	w.send(request{path: "/graphql?documentId=sha256:" + hash, header: map[string]string{"Accept": responseJSON}}).want(405, "use POST")
}

func TestPersistedByGET(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	w.send(request{path: "/graphql", json: query(`mutation { put_operation(name: "kept", document: "{__typename}", cache_seconds: 60) { version } }`)}).want(200, `"version"`)
	text := "query Other { __typename }"
	hash := core.HashOfDocument(text)
	extensions, err := json.Marshal(persistedQuery(hash))
	must(t, err)
	byHash := "/graphql?" + url.Values{"extensions": {string(extensions)}}.Encode()
	w.send(request{path: byHash + "&query=" + url.QueryEscape(text)}).want(200, "query_root")

	for path, cache := range map[string]string{byHash: "private, no-cache", "/graphql?documentId=kept": "private, max-age=60", "/graphql?documentId=sha256:" + core.HashOfDocument("{__typename}"): "private, max-age=60"} {
		got := w.send(request{path: path}).want(200, `{"data":{"__typename":"query_root"}}`)
		tag := got.header.Get("Etag")
		if got.header.Get("Cache-Control") != cache || tag == "" || !strings.Contains(got.header.Get("Vary"), "Authorization") || !strings.Contains(got.header.Get("Vary"), "Cookie") {
			t.Errorf("%s: %v", path, got.header)
		}
		again := w.send(request{path: path, header: map[string]string{"If-None-Match": tag}}).want(304)
		if again.text != "" || again.header.Get("Etag") != tag {
			t.Errorf("%s: %q %v", path, again.text, again.header)
		}
	}
	// What was sent whole is kept nowhere, nor is an error or what came by POST.
	for _, a := range []answered{
		w.send(request{path: "/graphql?query=" + url.QueryEscape(text)}),
		w.send(request{path: "/graphql?documentId=nothing"}),
		w.send(request{path: "/graphql", json: map[string]any{"documentId": "kept"}}),
	} {
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Etag") != "" {
			t.Errorf("%s: %v", a.text, a.header)
		}
	}
}

// TestPersistedFlood sends more documents than are kept: what is kept stays bounded, and what is gone is asked for again.
func TestPersistedFlood(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, nil)
	hashes := []string{}
	for i := range 40 {
		text := fmt.Sprintf("query Flood%d { __typename } # %s", i, strings.Repeat("x", 8<<10))
		hashes = append(hashes, core.HashOfDocument(text))
		w.send(request{path: "/graphql", json: map[string]any{"query": text, "extensions": persistedQuery(hashes[i])}}).want(200, "query_root")
	}
	w.send(request{path: "/graphql", json: map[string]any{"extensions": persistedQuery(hashes[0])}}).want(200, "PersistedQueryNotFound")
	w.send(request{path: "/graphql", json: map[string]any{"extensions": persistedQuery(hashes[39])}}).want(200, "query_root")
}
