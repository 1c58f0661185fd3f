package web

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/identity"
)

// A session travels in a cookie, or as a bearer token like an API key does.
//
// The cookie is __Host-sid: Secure, for this host only, not to be set from a sibling domain. Browsers refuse that name
// over plain HTTP, also on localhost in some; so a browser on the machine of the server itself gets a plain "sid", which
// the other servers of that machine see as well. A proxy that ends TLS passes the Host header on and sets
// X-Forwarded-Proto.
const (
	cookieSecure = "__Host-sid"
	cookieLocal  = "sid"
)

const authBodyLimit = 16 << 10 // bytes

// authenticate returns the caller of the request, who is anonymous without a token. A token that is not good is an
// error, whatever the route: who sends one wants to be somebody.
func (s *Server) authenticate(c *fiber.Ctx) (core.Caller, error) {
	const op = "web.authenticate"
	cause := core.Cause{Kind: "api"}
	token, cookie := s.token(c)
	if token == "" {
		if c.Get(fiber.HeaderAuthorization) != "" {
			return core.Caller{}, core.E(op, core.Unknown, "the Authorization header must be Bearer, then a token or an API key")
		}
		return s.standIn(c, core.Caller{Cause: cause})
	}
	if cookie {
		if err := sameSite(c, true); err != nil {
			return core.Caller{}, err
		}
	}
	who, fresh, err := s.o.Identity.Caller(c.UserContext(), token, cause, cookie)
	if err != nil && cookie && core.KindOf(err) == core.Unknown && !s.waits(c, token) {
		s.setCookie(c, authz.Session{})
	}
	if err == nil && fresh.Token != "" {
		s.setCookie(c, fresh)
	}
	if err != nil {
		return who, err
	}
	return s.standIn(c, who)
}

// Each of these headers names another user, by e-mail address or id.
const (
	headerBehalf   = "Colonnade-On-Behalf-Of" // as whom the request is made
	headerSimulate = "Colonnade-Simulate"     // whose view of things the request gets
)

// standIn returns the caller as whom the request is made: the one who came in, unless it names another.
func (s *Server) standIn(c *fiber.Ctx, who core.Caller) (core.Caller, error) {
	behalf, simulate := c.Get(headerBehalf), c.Get(headerSimulate)
	switch {
	case behalf != "" && simulate != "":
		return core.Caller{}, core.E("web.standIn", core.Invalid, fmt.Sprintf("send %s or %s, not both", headerBehalf, headerSimulate))
	case behalf != "":
		return s.o.Identity.OnBehalf(who, behalf)
	case simulate != "":
		return s.o.Identity.Simulate(c.UserContext(), who, simulate)
	}
	return who, nil
}

// waits reports whether the session is good but for the second factor, so that the browser must keep it.
func (s *Server) waits(c *fiber.Ctx, token string) bool {
	p, err := s.o.Logins.AuthenticatePending(c.UserContext(), token)
	return err == nil && p.Pending
}

// token returns the token of the request, and whether it came as a cookie, which browsers send unasked.
// An Authorization header goes before cookies.
func (s *Server) token(c *fiber.Ctx) (token string, cookie bool) {
	if a := c.Get(fiber.HeaderAuthorization); a != "" {
		scheme, token, _ := strings.Cut(a, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		return strings.TrimSpace(token), false
	}
	if isUpgrade(c) && s.origins[c.Get(fiber.HeaderOrigin)] { // a browser sends the cookie whatever page asks
		return "", false
	}
	if token := c.Cookies(cookieSecure); token != "" {
		return token, true
	}
	if s.local(c) {
		return c.Cookies(cookieLocal), true
	}
	return "", false
}

// sameSite refuses a request that a page of another site has the browser make. Browsers say in Sec-Fetch-Site, older
// ones in Origin, where a request comes from. strict refuses a POST that says nothing, as is right when a cookie came
// with it.
func sameSite(c *fiber.Ctx, strict bool) error {
	const op = "web.sameSite"
	foreign := core.E(op, core.Denied, "the request comes from a page of another site")
	switch site := c.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return nil
	case "":
	default:
		return foreign
	}
	if origin := c.Get(fiber.HeaderOrigin); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, string(c.Request().Header.Host())) {
			return foreign
		}
		return nil
	}
	if strict && c.Method() == fiber.MethodPost {
		return core.E(op, core.Denied, "a POST with a cookie must say where it comes from: send Origin, or a bearer token instead of the cookie")
	}
	return nil
}

// local reports whether the request is plain HTTP from this machine to this machine. A proxy on this machine that tells
// of HTTPS is believed, trusted or not: it only makes the cookie stricter.
func (s *Server) local(c *fiber.Ctx) bool {
	if c.Get(fiber.HeaderXForwardedProto) == "https" || !s.connected(c).IsLoopback() {
		return false
	}
	host := strings.ToLower(hostOnly(string(c.Request().Header.Host())))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// setCookie sends the session to the browser; the zero session takes it away.
func (s *Server) setCookie(c *fiber.Ctx, in authz.Session) {
	k := &fiber.Cookie{Name: cookieSecure, Value: in.Token, Path: "/", Expires: in.Ends, Secure: true, HTTPOnly: true, SameSite: "Lax"}
	if s.local(c) {
		k.Name, k.Secure = cookieLocal, false
	}
	if in.Token == "" {
		k.Expires = time.Unix(1, 0)
	}
	c.Cookie(k)
}

// decode reads the JSON body of a form.
func decode(c *fiber.Ctx, into any) error {
	const op = "web.decode"
	if err := jsonBody(c); err != nil {
		return err
	}
	if err := sameSite(c, false); err != nil {
		return err
	}
	body := c.Request().Body()
	if len(body) > authBodyLimit {
		return errTooLarge(authBodyLimit, "leave out what the form does not ask for")
	}
	if _, err := scanObject(body); err != nil {
		return core.E(op, core.Invalid, "the body must be a JSON object: "+err.Error())
	}
	if err := json.Unmarshal(body, into); err != nil {
		return core.E(op, core.Invalid, "the members of the JSON object must be text")
	}
	return nil
}

type signIn struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Code     string `json:"code"` // of the second factor; it can come later, see secondFactor
}

// login begins a session: as a cookie, or as a token for a program that asks with the header "X-Token: 1".
func (s *Server) login(c *fiber.Ctx) error {
	var in signIn
	if err := decode(c, &in); err != nil {
		return err
	}
	return s.begin(c, in)
}

func (s *Server) begin(c *fiber.Ctx, in signIn) error {
	const op = "web.login"
	got, err := s.o.Identity.SignIn(c.UserContext(), identity.SignIn{Email: in.Email, Password: in.Password, Code: in.Code, From: s.from(c)})
	if err != nil {
		return core.E(op, err)
	}
	if old, cookie := s.token(c); cookie && old != "" { // the session that the browser had goes when another one begins
		if err := s.o.Logins.Logout(c.UserContext(), old); err != nil {
			return core.E(op, err)
		}
	}
	return s.entered(c, got, false)
}

// from is the other end, for the list of sessions.
func (s *Server) from(c *fiber.Ctx) authz.Peer {
	return authz.Peer{Address: s.peer(c).String(), Agent: c.Get(fiber.HeaderUserAgent)}
}

// entered answers with the session that was begun: as a cookie, or as a token for a program.
func (s *Server) entered(c *fiber.Ctx, in identity.In, asToken bool) error {
	const op = "web.entered"
	out := signedIn{SecondFactor: in.Pending}
	if !in.Pending {
		who, err := s.o.Identity.Who(c.UserContext(), in.User)
		if err != nil {
			return core.E(op, err)
		}
		out.User = personOf(who)
	}
	ends := in.Ends.Truncate(time.Second)
	out.Ends = &ends
	if asToken || c.Get("X-Token") == "1" && c.Get("Sec-Fetch-Site") == "" { // a browser keeps the token out of reach of scripts
		out.Token = in.Token
	} else {
		s.setCookie(c, in.Session)
	}
	return answer(c, out)
}

// secondFactor takes the code of the second factor, of a session that waits for it or whose user proves it again.
func (s *Server) secondFactor(c *fiber.Ctx) error {
	const op = "web.secondFactor"
	var in struct {
		Code string `json:"code"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	token, cookie := s.token(c)
	if cookie {
		if err := sameSite(c, true); err != nil {
			return err
		}
	}
	if err := s.o.Logins.AttemptFrom(c.UserContext(), s.peer(c).String()); err != nil {
		return core.E(op, err)
	}
	if _, err := s.o.Logins.AuthenticatePending(c.UserContext(), token); core.KindOf(err) == core.Unknown {
		return core.E(op, core.Denied, "no session waits for a second factor: begin with the password")
	}
	session, err := s.o.Identity.Strengthen(c.UserContext(), token, in.Code)
	if err != nil {
		return core.E(op, err)
	}
	return s.entered(c, identity.In{Session: session}, !cookie)
}

// reset sets a new password for who has the link of reset_password.
func (s *Server) reset(c *fiber.Ctx) error {
	const op = "web.reset"
	var in struct {
		Token    string `json:"token"`
		Password string `json:"password"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := s.o.Logins.AttemptFrom(c.UserContext(), s.peer(c).String()); err != nil {
		return core.E(op, err)
	}
	if err := s.o.Logins.ResetPassword(c.UserContext(), in.Token, in.Password); err != nil {
		return core.E(op, err)
	}
	return answer(c, signedIn{})
}

// setup makes the first administrator, and signs in as that.
func (s *Server) setup(c *fiber.Ctx) error {
	const op = "web.setup"
	var in struct {
		Token string `json:"token"`
		Name  string `json:"name"`
		signIn
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := s.o.Logins.AttemptFrom(c.UserContext(), s.peer(c).String()); err != nil {
		return core.E(op, err)
	}
	if _, err := s.o.Logins.CreateFirstAdministrator(c.UserContext(), in.Token, in.Name, in.Email, in.Password); err != nil {
		return core.E(op, err)
	}
	if err := s.o.Reload(c.UserContext()); err != nil {
		return core.E(op, err)
	}
	return s.begin(c, in.signIn)
}

// logout ends the session of the request. An API key stays: it is revoked, not signed out.
func (s *Server) logout(c *fiber.Ctx) error {
	if err := jsonBody(c); err != nil {
		return err
	}
	token, cookie := s.token(c)
	out := signedIn{Location: s.o.Identity.SignOut(c.UserContext(), token, s.origin(c)+"/login")}
	if err := s.o.Logins.Logout(c.UserContext(), token); err != nil {
		return core.E("web.logout", err)
	}
	if cookie {
		s.setCookie(c, authz.Session{})
	}
	return answer(c, out)
}

// me tells as whom the request is made, and by whom where that is somebody else.
func (s *Server) me(c *fiber.Ctx) error {
	who := core.CallerFrom(c.UserContext())
	out := signedIn{User: personOf(who), Simulated: who.Simulated()}
	if who.Behalf != "" {
		by, err := s.o.Policy().Caller(who.Behalf, who.Cause)
		if err != nil {
			return core.E("web.me", err)
		}
		out.Behalf = personOf(by)
	}
	return answer(c, out)
}

type signedIn struct {
	User  *person    `json:"user"`
	Ends  *time.Time `json:"ends,omitempty"`
	Token string     `json:"token,omitempty"`

	Location string `json:"location,omitempty"` // where to sign out of the provider too

	SecondFactor bool `json:"second_factor,omitempty"` // its code is needed: send it to /auth/second-factor

	Behalf    *person `json:"behalf,omitempty"` // who really makes the request
	Simulated bool    `json:"simulated,omitempty"`
}

type person struct {
	ID    core.ID  `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

func personOf(who core.Caller) *person {
	return &person{ID: who.User, Name: who.Name, Roles: append([]string{}, who.Roles...)}
}

func answer(c *fiber.Ctx, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return core.E("web.answer", err)
	}
	c.Set(fiber.HeaderContentType, mediaJSON.contentType())
	return c.Send(b)
}
