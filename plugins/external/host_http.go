package external

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"colonnade/core"
	"colonnade/core/egress"
)

// httpReply is the answer of a server.
type httpReply struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
	Body64  string            `json:"body64,omitempty"` // in place of body, of an answer that is no text
}

// maxFetched is how large an answer of a server is at most: in base64 it still is a reply.
const maxFetched = 4 << 20

// methods are those with which a module may call a server.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// secretPattern is what stands in a header in place of a secret.
var secretPattern = regexp.MustCompile(`\{\{secret:([a-z0-9_]+)\}\}`)

type httpClient = http.Client

// newHTTPClient returns a client of the guard that goes where it is sent and nowhere else: a redirect is an answer.
func newHTTPClient(g *egress.Guard, l egress.Limits) *httpClient {
	c := g.Client(l)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// fetch calls a server that the manifest names.
func (h *hosting) fetch(ctx context.Context, r hostRequest, once string) (*httpReply, error) {
	const op = "external.fetch"
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, core.E(op, core.Invalid, "url is no address such as https://api.example.com/path", err)
	}
	hosts := h.plugin.Wants.Hosts
	if host := egress.Host(r.URL); !slices.Contains(hosts, core.AnyHost) && !slices.Contains(hosts, host) {
		return nil, core.E(op, core.Denied, fmt.Sprintf("the manifest of %s does not name the host %q; it names %s", h.plugin.Name, host, strings.Join(hosts, ", ")))
	}
	if !slices.Contains(methods, r.Method) {
		return nil, core.E(op, core.Invalid, "method is one of "+strings.Join(methods, ", "))
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return nil, core.E(op, core.Invalid, "the request is not one of HTTP: "+err.Error())
	}
	told, err := h.headers(ctx, req, r.Headers, egress.Sealed(u))
	if err != nil {
		return nil, core.E(op, err)
	}
	if once != "" && req.Header.Get("Idempotency-Key") == "" {
		req.Header.Set("Idempotency-Key", once)
	}
	res, err := h.service.fetching.Do(req)
	if err != nil {
		return nil, core.E(op, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, core.E(op, err)
	}
	return replied(res, body, told), nil
}

// headers writes the headers of a request, with secrets in their places, and returns the secrets.
func (h *hosting) headers(ctx context.Context, req *http.Request, headers map[string]string, sealed bool) (told []string, err error) {
	const op = "external.headers"
	for name, value := range headers {
		if strings.EqualFold(name, "Host") || strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") {
			return nil, core.E(op, core.Denied, "the header "+name+" is not for a plugin to set")
		}
		for _, found := range secretPattern.FindAllStringSubmatch(value, -1) {
			if !sealed {
				return nil, core.E(op, core.Denied, "a secret is sent to addresses that begin with https:// only")
			}
			secret, err := h.secret(ctx, found[1])
			if err != nil {
				return nil, core.E(op, err)
			}
			told = append(told, secret)
			value = strings.ReplaceAll(value, found[0], secret)
		}
		req.Header.Set(name, value)
	}
	return told, nil
}

// secret returns a secret that the manifest asks for.
func (h *hosting) secret(ctx context.Context, name string) (string, error) {
	var have []string
	for _, s := range h.plugin.Wants.Secrets {
		have = append(have, s.Name)
	}
	if !slices.Contains(have, name) {
		return "", core.E("external.secret", core.Denied, fmt.Sprintf("the manifest of %s asks for no secret %s%s", h.plugin.Name, name, near(name, have)))
	}
	return h.service.secretOf(ctx, h.plugin.Name, name)
}

// replied is what a module reads of an answer. A server that sends a secret back does not tell it to the plugin.
func replied(res *http.Response, body []byte, told []string) *httpReply {
	hide := func(s string) string {
		for _, secret := range told {
			s = strings.ReplaceAll(s, secret, "***")
		}
		return s
	}
	out := &httpReply{Status: res.StatusCode, Headers: map[string]string{}}
	for name, values := range res.Header {
		out.Headers[strings.ToLower(name)] = hide(strings.Join(values, ", "))
	}
	text := hide(string(body))
	if utf8.ValidString(text) {
		out.Body = text
	} else {
		out.Body64 = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return out
}
