package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// graphiqlCSP lets GraphiQL do what it cannot do without: its editor (CodeMirror) writes style attributes, and its
// style sheet holds fonts and pictures as data. Scripts stay as strict as elsewhere.
const graphiqlCSP = policyCSP + "; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:"

// graphiql shows GraphiQL to who is signed in, and the login to everybody else. It reads nothing but who that is, so
// that a link from another site may lead here.
func (s *Server) graphiql(c *fiber.Ctx) error {
	token, _ := s.token(c)
	who, err := s.callerOf(c, token, core.Cause{Kind: "api"})
	if err != nil {
		if kind := core.KindOf(err); kind != core.Unknown {
			return core.E("web.graphiql", err)
		}
		return c.Redirect("/login?redirect="+url.QueryEscape(c.OriginalURL()), fiber.StatusFound)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, graphiqlCSP)
	return s.render(c, "graphiql.html", page{Name: who.Name})
}
