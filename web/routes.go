package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
)

// access says whom a route lets in. The zero value lets in nobody.
type access int

const (
	anyone  access = iota + 1 // the caller is not even looked at
	caller                    // anonymous too, but who sends a token must send a good one; the engine decides on rights
	session                   // who is signed in
	signed                    // who has signed the body with a secret; the handler looks, and counts
)

// route is one way in. Every route is in the list of [Server.routes] and says whom it lets in.
type route struct {
	method, path string
	access       access
	handler      fiber.Handler
}

func (s *Server) routes() []route {
	routes := []route{
		{"GET", "/", anyone, s.home},
		{"GET", "/graphql", caller, s.getGraphQL},
		{"POST", "/graphql", caller, s.postGraphQL},
		{"GET", "/graphiql", anyone, s.graphiql}, // sends to /login who is not signed in
		{"GET", "/login", anyone, s.loginPage},
		{"GET", "/setup", anyone, s.setupPage},
		{"GET", "/reset", anyone, s.resetPage},
		{"GET", "/account", anyone, s.accountPage}, // sends to /login who is not signed in
		{"GET", assetsPath + ":hash/:name", anyone, s.asset},
		{"POST", "/auth/login", anyone, s.login},
		{"POST", "/auth/second-factor", anyone, s.secondFactor}, // needs a session, which may wait for just this
		{"POST", "/auth/passkey/options", anyone, s.askPasskey},
		{"POST", "/auth/passkey", anyone, s.passkey}, // needs what a passkey has signed
		{"POST", "/auth/passkeys/options", session, s.askNewPasskey},
		{"POST", "/auth/passkeys", session, s.newPasskey},
		{"POST", "/auth/oidc/:provider/leave", anyone, s.leave},
		{"GET", "/auth/oidc/:provider/callback", anyone, s.arrive}, // believes what the provider has signed, for a browser that left
		{"POST", "/auth/reset", anyone, s.reset},                   // needs the token of a link
		{"POST", "/auth/setup", anyone, s.setup},                   // needs the token of the setup link
		{"POST", "/auth/logout", session, s.logout},
		{"GET", "/auth/me", session, s.me},
		{"GET", "/health/live", anyone, s.live},
		{"GET", "/health/ready", anyone, s.ready},
	}
	routes = append(routes, s.dataRoutes()...)
	routes = append(routes, s.fileRoutes()...)
	routes = append(routes, s.hookRoutes()...)
	if s.o.Dev {
		routes = append(routes, route{"GET", profilesPath + "/*", session, s.profile})
	}
	return routes
}

// free are the routes that nobody counts: they cost nothing, and pages load several of them.
func free(r route) bool {
	return strings.HasPrefix(r.path, assetsPath) || strings.HasPrefix(r.path, healthPath)
}

// admit returns the handler behind the checks that the route asks for: who it may be, and how often he may come.
func (s *Server) admit(r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !streamed(r) {
			if err := s.hold(c); err != nil {
				return err
			}
		}
		if r.access == anyone && free(r) || r.access == signed {
			return r.handler(c)
		}
		who, err := s.who(c, r)
		v, tooMany := s.count(c, who)
		if tooMany != nil {
			return tooMany // also who guesses tokens
		}
		defer func() {
			if !v.long {
				v.end()
			}
		}()
		if err != nil {
			return err
		}
		c.SetUserContext(core.WithCaller(c.UserContext(), who))
		return r.handler(c)
	}
}

// who returns the caller of a request to the route, or why there is none that may come in.
func (s *Server) who(c *fiber.Ctx, r route) (core.Caller, error) {
	const op = "web.who"
	switch r.access {
	case anyone:
		return core.Caller{}, nil
	case caller, session:
		who, err := s.authenticate(c)
		if err == nil && r.access == session && who.Anonymous() {
			err = core.E(op, core.Unknown, "sign in first")
		}
		return who, err
	}
	return core.Caller{}, core.E(op, core.Denied, "nobody may use this")
}
