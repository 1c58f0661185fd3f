package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// graphiqlCSP allows two things more than other pages have: the pictures within the style sheet, and the one style
// element that a dialog adds, to keep what is behind it from scrolling, by its hash. With another version of GraphiQL
// the hash may change; the console of the browser tells it.
const graphiqlCSP = policyCSP + "; style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; img-src 'self' data:"

// graphiql shows GraphiQL to who is signed in, and the login to everybody else. It reads nothing but who that is, so
// that a link from another site may lead here.
func (s *Server) graphiql(c *fiber.Ctx) error {
	token, _ := s.token(c)
	who, _, err := s.o.Identity.Caller(c.UserContext(), token, core.Cause{Kind: "api"}, false)
	if err != nil {
		if kind := core.KindOf(err); kind != core.Unknown {
			return core.E("web.graphiql", err)
		}
		return c.Redirect("/login?redirect="+url.QueryEscape(c.OriginalURL()), fiber.StatusFound)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, graphiqlCSP)
	return s.render(c, "graphiql.html", page{Name: who.Name})
}
