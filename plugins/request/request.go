package request

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"colonnade/core"
)

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// writes reports whether a request of that method may change something.
func writes(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// Headers that are not for an author to set: those that the connection needs, and those whose values would be read by whoever reads flows.
var (
	ownHeaders    = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade"}
	secretHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie"}
)

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func need(c core.Column) core.Column {
	c.Required = true
	return c
}

func (s *Service) request() core.Action {
	return core.Action{
		Name: "http_request",
		Doc: "Sends a request to a server, and returns its answer. A step of a flow asks again, after the time that the server asks for, where it is busy or cannot be reached (408, 425, 429, and 500 and more but for 501); " +
			"what writes has an Idempotency-Key that is the same each time.",
		Privilege: "call_servers", Alone: true, Sends: core.Sends{Hosts: []string{core.AnyHost}, Address: "url"},
		Input: []core.Column{
			need(text("url", "The address, such as https://api.example.com/v1/orders.")),
			{Name: "path", Kind: core.Text, List: true, Doc: "What follows the path of the address, part by part: whatever a part holds, it stays one part."},
			{Name: "query", Kind: core.JSON, Doc: `What follows the question mark: {"status": "open", "tag": ["a", "b"]}.`},
			text("method", "GET when left out; "+strings.Join(methods, ", ")+"."),
			{Name: "headers", Kind: core.JSON, Doc: `Headers by name: {"Accept-Language": "de"}. Secrets belong in a credential.`},
			{Name: "body", Kind: core.JSON, Doc: "What is sent: a text as it is, anything else as JSON."},
			{Name: "form", Kind: core.JSON, Doc: "What is sent as the fields of a form, in place of body."},
			text("credential", "The name of the credential to call with."),
			{Name: "any_status", Kind: core.Boolean, Doc: "Return the answer also where its status is 300 or more. Otherwise that is an error."},
			{Name: "seconds", Kind: core.Integer, Doc: fmt.Sprintf("How long to wait for the whole answer: %d when left out, at most %d.", int(defaultTime.Seconds()), int(maxTime.Seconds()))},
		},
		Output: []core.Column{
			need(core.Column{Name: "status", Kind: core.Integer, Doc: "Of the answer, such as 200."}),
			need(core.Column{Name: "headers", Kind: core.JSON, Doc: "Of the answer, by name in small letters."}),
			{Name: "body", Kind: core.JSON, Doc: "What the server sent: the value, where that is JSON, and otherwise a text."},
			text("body64", "The same in base64, where it is no text."),
		},
		Examples: []core.Example{
			{Doc: "Reads something.", In: core.Record{"url": "https://api.example.com/v1/rates", "query": map[string]any{"base": "EUR"}}},
			{Doc: "Writes something, with a credential.", In: core.Record{"url": "https://api.example.com/v1/orders", "method": "POST", "body": map[string]any{"number": "A-1", "cents": 950}, "credential": "shop"}},
		},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			out, err := s.call(ctx, c)
			return out, core.E("request.http_request", err)
		},
	}
}

// asked is a request that is to be made, once or again.
type asked struct {
	url    *url.URL
	method string
	header http.Header
	body   []byte
	id     string // the same each time
}

func invalid(column, why string) error {
	return core.E("request.read", core.Invalid, core.At{Column: column}, why)
}

func (s *Service) call(ctx context.Context, c core.Call) (core.Record, error) {
	r, err := s.read(c)
	if err != nil {
		return nil, err
	}
	wait := time.Duration(c.Int("seconds", int64(defaultTime.Seconds())))
	if wait < 1 || wait > maxTime/time.Second {
		return nil, invalid("seconds", fmt.Sprintf("an answer is waited for 1 to %d seconds", int(maxTime.Seconds())))
	}
	ctx, stop := context.WithTimeout(ctx, wait*time.Second)
	defer stop()
	var with *credential
	if name := c.Text("credential"); name != "" {
		if with, err = s.open(ctx, name); err != nil {
			return nil, err
		}
		if err := with.fits(r.url); err != nil {
			return nil, err
		}
	}
	res, told, err := s.send(ctx, r, with)
	if err == nil && res.StatusCode == http.StatusUnauthorized && with.forget(s) { // a token that was kept may be good no longer
		_ = res.Body.Close()
		res, told, err = s.send(ctx, r, with)
	}
	if err != nil {
		return nil, unreached(r, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, unreached(r, err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: body, told: told}
	if res.StatusCode >= http.StatusMultipleChoices && !c.Bool("any_status") {
		return nil, a.refused(r, s.o.Now())
	}
	return a.record()
}

// read makes a request of what the action was given.
func (s *Service) read(c core.Call) (*asked, error) {
	r := &asked{method: strings.ToUpper(c.Text("method")), header: http.Header{}, id: c.Key}
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.id == "" {
		r.id = string(core.NewID())
	}
	if !slices.Contains(methods, r.method) {
		return nil, invalid("method", "the method is one of "+strings.Join(methods, ", "))
	}
	if err := s.o.Egress.CheckURL(c.Text("url")); err != nil {
		return nil, core.E("request.read", core.At{Column: "url"}, err)
	}
	var err error
	if r.url, err = address(c); err != nil {
		return nil, err
	}
	if err := r.setHeaders(c); err != nil {
		return nil, err
	}
	return r, r.setBody(c)
}

// address puts the address together.
func address(c core.Call) (*url.URL, error) {
	u, err := url.Parse(c.Text("url"))
	if err != nil {
		return nil, invalid("url", "the address is not a URL such as https://example.com/path")
	}
	parts, _ := c.In["path"].([]any)
	for i, part := range parts {
		p, _ := part.(string)
		if p == "" || p == "." || p == ".." {
			return nil, invalid("path", fmt.Sprintf("part %d is %q, and would name another place: a part is a text that is neither empty nor . or ..", i+1, p))
		}
		u = u.JoinPath(url.PathEscape(p))
	}
	more, err := fields(c, "query")
	if err != nil || len(more) == 0 {
		return u, err
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += more.Encode()
	return u, nil
}

// object reads an argument that is a JSON object; nil where it was left out.
func object(c core.Call, name string) (map[string]any, error) {
	raw, ok := c.In[name].(json.RawMessage)
	if !ok {
		return nil, nil
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return nil, invalid(name, "give an object such as {\"name\": \"value\"}")
	}
	return out, nil
}

// plain is a value of an object as the text that is sent; what is null is not sent.
func plain(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// fields reads an argument whose values are texts, numbers, true, false or lists of them.
func fields(c core.Call, name string) (url.Values, error) {
	given, err := object(c, name)
	out := url.Values{}
	for key, v := range given {
		if v == nil {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, item := range list {
			s, ok := plain(item)
			if !ok {
				return nil, invalid(name, fmt.Sprintf("%s is neither a text, a number, true or false nor a list of them", key))
			}
			out.Add(key, s)
		}
	}
	return out, err
}

func (r *asked) setHeaders(c core.Call) error {
	given, err := object(c, "headers")
	if err != nil {
		return err
	}
	same := func(name string) func(string) bool {
		return func(other string) bool { return strings.EqualFold(name, other) }
	}
	for name, v := range given {
		if v == nil {
			continue
		}
		value, ok := plain(v)
		switch {
		case !ok:
			return invalid("headers", fmt.Sprintf("the header %s is neither a text nor a number, nor true or false", name))
		case slices.ContainsFunc(ownHeaders, same(name)):
			return invalid("headers", fmt.Sprintf("the header %s belongs to the connection, and is not for a request to set", name))
		case slices.ContainsFunc(secretHeaders, same(name)):
			return invalid("headers", fmt.Sprintf("the header %s is a secret, which whoever reads the flow or its runs would read: keep it with put_credential, and name it in credential", name))
		case !token(name) || strings.ContainsAny(value, "\r\n\x00"):
			return invalid("headers", fmt.Sprintf("%q is no header: its name holds letters, digits and -, and its value is one line", name))
		}
		r.header.Set(name, value)
	}
	r.preset("User-Agent", "Colonnade")
	r.preset("Accept", "application/json, */*;q=0.8")
	if writes(r.method) {
		r.preset("Idempotency-Key", r.id)
	}
	return nil
}

// token reports whether s is the name of a header (RFC 9110, 5.6.2).
func token(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) < 0
}

// preset sets a header that the author has not.
func (r *asked) preset(name, value string) {
	if r.header.Get(name) == "" {
		r.header.Set(name, value)
	}
}

func (r *asked) setBody(c core.Call) error {
	raw, given := c.In["body"].(json.RawMessage)
	form, err := fields(c, "form")
	switch _, both := c.In["form"].(json.RawMessage); {
	case err != nil:
		return err
	case given && both:
		return invalid("form", "give body or form, not both")
	case !given && !both:
		return nil
	case !writes(r.method):
		return invalid("method", "a request with a body is a POST, PUT, PATCH or DELETE: "+r.method+" asks for something, in query")
	case both:
		r.preset("Content-Type", "application/x-www-form-urlencoded")
		r.body = []byte(form.Encode())
	default:
		var plain string
		if r.body = raw; json.Unmarshal(raw, &plain) == nil {
			r.preset("Content-Type", "text/plain; charset=utf-8")
			r.body = []byte(plain)
		}
		r.preset("Content-Type", "application/json")
	}
	if len(r.body) > maxBody {
		return core.E("request.setBody", core.Invalid, core.At{Column: "body"}, fmt.Sprintf("a request holds %d MB at most", maxBody>>20))
	}
	return nil
}

// send makes the request, with what the credential adds, and returns the secrets that were sent.
func (s *Service) send(ctx context.Context, r *asked, with *credential) (res *http.Response, told []string, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, nil, core.E("request.send", core.Invalid, "the request is not one of HTTP: "+err.Error())
	}
	req.Header = r.header.Clone()
	if with != nil {
		if told, err = with.write(ctx, s, r, req.Header); err != nil {
			return nil, nil, err
		}
	}
	res, err = s.client.Do(req) //nolint:bodyclose // the caller does
	return res, told, err
}

// unreached says why there is no answer.
func unreached(r *asked, err error) error {
	const op = "request.unreached"
	if told := (*core.Error)(nil); errors.As(err, &told) {
		return core.E(op, told) // what the guard says names the host, not all of the address
	}
	if errors.Is(err, context.Canceled) {
		return core.E(op, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return core.E(op, core.Unavailable, r.url.Host+" did not answer in time: seconds says how long to wait")
	}
	return core.E(op, core.Unavailable, r.url.Host+" broke off its answer", errors.New("the connection ended"))
}
