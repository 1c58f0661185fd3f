package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/graphql"
)

// GraphQL over HTTP, as the specification of that name and the audits of graphql-http have it.

const graphqlPath = "/graphql"

func (s *Server) postGraphQL(c *fiber.Ctx) error {
	m, err := form(c)
	if err != nil {
		return err
	}
	if err := jsonBody(c); err != nil {
		return err
	}
	r, err := parseRequest(c.Request().Body())
	if err != nil {
		return err
	}
	if r.Key, err = onceKey(c); err != nil {
		return err
	}
	return s.run(c, m, r, false)
}

const (
	headerExplain  = "X-Explain" // true for how a query is answered, beside the answer
	headerKey      = "Idempotency-Key"
	headerRepeated = "Idempotency-Replayed"
)

// onceKey returns the key of a request, as the draft of the IETF has it: a string in quotes, which may be left out.
// See https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
func onceKey(c *fiber.Ctx) (string, error) {
	key := c.Get(headerKey)
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(c.Request().Header.Peek(headerKey)) > 0 && key == "" || len(key) > graphql.MaxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", core.E("web.onceKey", core.Invalid, fmt.Sprintf("%s is 1 to %d visible ASCII characters", headerKey, graphql.MaxKey))
	}
	return strings.Clone(key), nil
}

func (s *Server) getGraphQL(c *fiber.Ctx) error {
	const op = "web.getGraphQL"
	if isUpgrade(c) {
		return s.socket(c)
	}
	m, err := form(c)
	if err != nil {
		return err
	}
	r := graphql.Request{Query: c.Query("query"), OperationName: c.Query("operationName"), DocumentID: c.Query("documentId")}
	if !utf8.ValidString(r.Query) || !utf8.ValidString(r.OperationName) || !utf8.ValidString(r.DocumentID) {
		return core.E(op, core.Invalid, "query, operationName and documentId must be UTF-8")
	}
	for name, to := range map[string]*json.RawMessage{"variables": &r.Variables, "extensions": &r.Extensions} {
		text := c.Query(name)
		if text == "" || text == "null" {
			continue
		}
		if _, err := scanObject([]byte(text)); err != nil {
			return core.E(op, core.Invalid, fmt.Sprintf("%s must be a JSON object: %v", name, err))
		}
		*to = json.RawMessage(text)
	}
	if r.Query == "" && r.DocumentID == "" && len(r.Extensions) == 0 {
		return core.E(op, core.Invalid, errNoQuery)
	}
	return s.run(c, m, r, true)
}

// form returns the form of the answer, or the error that says that there is none to please the client.
func form(c *fiber.Ctx) (media, error) {
	m, ok := negotiate(c.Get(fiber.HeaderAccept))
	if !ok {
		return "", fiber.NewError(fiber.StatusNotAcceptable, "the answer is application/json or application/graphql-response+json: accept one")
	}
	return m, nil
}

// run has the engine answer. The answer is sent as it is, without a copy.
func (s *Server) run(c *fiber.Ctx, m media, r graphql.Request, readOnly bool) error {
	if m == mediaEvents {
		return s.events(c, r, readOnly)
	}
	r.Explain = c.Get(headerExplain) == "true"
	out := s.do(c.UserContext(), r, readOnly)
	switch {
	case out.Kind == graphql.NotAllowed:
		c.Set(fiber.HeaderAllow, fiber.MethodPost)
		c.Status(fiber.StatusMethodNotAllowed)
	case out.Kind == graphql.RequestError && m == mediaGraphQL:
		c.Status(fiber.StatusBadRequest)
	}
	if out.Repeated {
		c.Set(headerRepeated, "true")
	}
	if readOnly && out.Kind == graphql.OK && out.Named && cached(c, out) {
		return nil
	}
	c.Set(fiber.HeaderContentType, m.contentType())
	return c.Send(out.Body)
}

// cached lets the client keep an answer to what it asked for by GET and by the name of a document, which is a short address. Nobody
// else may keep it. It reports whether the client has the answer already, and nothing more is to be sent.
func cached(c *fiber.Ctx, out graphql.Response) bool {
	hash := sha256.Sum256(out.Body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(hash[:]) + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Vary(fiber.HeaderAuthorization, fiber.HeaderCookie, fiber.HeaderAccept, headerSimulate)
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	if out.MaxAge > 0 {
		c.Set(fiber.HeaderCacheControl, fmt.Sprintf("private, max-age=%d", out.MaxAge))
	}
	if c.Get(fiber.HeaderIfNoneMatch) != tag {
		return false
	}
	c.Status(fiber.StatusNotModified)
	return true
}

const errNoQuery = "query is missing: send the GraphQL document as a string"

// parseRequest reads the body of a request. What it returns keeps nothing of the body, which fasthttp uses again.
// Members that it does not know are ignored, as the specification wants; of equal ones the last counts.
func parseRequest(body []byte) (r graphql.Request, err error) {
	const op = "web.parseRequest"
	members, err := scanObject(body)
	if err != nil {
		return r, core.E(op, core.Invalid, "the body must be a JSON object: "+err.Error())
	}
	query := false
	for _, m := range members {
		null := string(m.value) == "null"
		switch m.name {
		case "query", "operationName", "documentId":
			if !null && m.value[0] != '"' {
				return r, core.E(op, core.Invalid, m.name+" must be a string")
			}
			text := ""
			if !null {
				if core.HasLoneSurrogate(m.value) {
					return r, core.E(op, core.Invalid, m.name+" holds half of a surrogate pair, which is no character")
				}
				text = unquote(m.value)
			}
			switch m.name {
			case "query":
				r.Query, query = text, !null
			case "operationName":
				r.OperationName = text
			default:
				r.DocumentID = text
			}
		case "variables", "extensions":
			if !null && m.value[0] != '{' {
				return r, core.E(op, core.Invalid, m.name+" must be an object")
			}
			var raw json.RawMessage
			if !null {
				raw = bytes.Clone(m.value)
			}
			if m.name == "variables" {
				r.Variables = raw
			} else {
				r.Extensions = raw
			}
		}
	}
	if !query && r.DocumentID == "" && len(r.Extensions) == 0 {
		return r, core.E(op, core.Invalid, errNoQuery)
	}
	return r, nil
}
