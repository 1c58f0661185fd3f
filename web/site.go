package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/identity"
)

// The pages are templates that the server fills in; assets is what they load. Names that end in .gz are compressed
// already, by graphiql/build.mjs.
//
//go:embed pages dist/*.gz
var embedded embed.FS

const assetsPath = "/assets/"

// site is what a browser is served. It is made once and never changes.
type site struct {
	pages  *template.Template
	assets map[string]asset // by name, without .gz
	hash   string           // of all assets; a part of their addresses, so that they can be kept for ever
}

type asset struct {
	kind   string // content type
	packed []byte // gzip
}

// newSite reads the embedded files. It panics where they are broken, which no build that passed a test has.
func newSite() *site {
	s := &site{pages: template.Must(template.ParseFS(embedded, "pages/*.html")), assets: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(embedded, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) == ".html" {
			return err
		}
		b, err := embedded.ReadFile(file)
		if err != nil {
			return err
		}
		name, packed := strings.CutSuffix(path.Base(file), ".gz")
		if !packed {
			b = pack(b)
		}
		_, _ = fmt.Fprintf(sum, "%s %d %s", name, len(b), b)
		s.assets[name] = asset{kind: contentType(name), packed: b}
		return nil
	})
	if err != nil {
		panic(err)
	}
	s.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return s
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// contentType does not ask the tables of the machine, which differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// asset serves a file under the address that its hash is a part of.
func (s *Server) asset(c *fiber.Ctx) error {
	a, ok := s.site.assets[c.Params("name")]
	if !ok || c.Params("hash") != s.site.hash {
		return fiber.ErrNotFound
	}
	tag := `"` + s.site.hash + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if c.Get(fiber.HeaderIfNoneMatch) == tag {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, a.kind)
	if takesGzip(c.Get(fiber.HeaderAcceptEncoding)) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(a.packed)
	}
	r, err := gzip.NewReader(bytes.NewReader(a.packed))
	if err != nil {
		return core.E("web.asset", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return core.E("web.asset", err)
	}
	return c.Send(plain)
}

func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, weighed := strings.CutPrefix(strings.TrimSpace(params), "q=")
		return !weighed || strings.Trim(q, "0.") != ""
	}
	return false
}

// page is what a template knows.
type page struct {
	Assets string // where they are, with a slash at the end
	Next   string // where to go after signing in
	Name   string // of the user

	Providers []identity.Button // to sign in with
	Second    bool              // the second factor is asked for at once
	Problem   string            // what went wrong at a provider
}

func (s *Server) render(c *fiber.Ctx, name string, p page) error {
	p.Assets = assetsPath + s.site.hash + "/"
	var b bytes.Buffer
	if err := s.site.pages.ExecuteTemplate(&b, name, p); err != nil {
		return core.E("web.render", err)
	}
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	return c.Send(b.Bytes())
}

// loginPage shows the form to sign in, or goes to the setup of a database without users.
func (s *Server) loginPage(c *fiber.Ctx) error {
	empty, err := s.o.Logins.NeedsSetup(c.UserContext())
	if err != nil {
		return core.E("web.loginPage", err)
	}
	if empty {
		return c.Redirect("/setup", fiber.StatusFound)
	}
	return s.showLogin(c, nil)
}

// showLogin shows the form to sign in, with what went wrong before.
func (s *Server) showLogin(c *fiber.Ctx, problem error) error {
	buttons, err := s.o.Identity.Buttons(c.UserContext())
	if err != nil {
		return core.E("web.showLogin", err)
	}
	p := page{Next: ownPath(c.Query("redirect")), Providers: buttons, Second: c.Context().QueryArgs().Has("second")}
	if problem != nil {
		p.Problem = core.AsError(problem).Public()
		c.Status(fiber.StatusForbidden)
	}
	return s.render(c, "login.html", p)
}

// resetPage shows the form that sets a new password. The token of the link stays in the browser.
func (s *Server) resetPage(c *fiber.Ctx) error {
	return s.render(c, "reset.html", page{Next: "/login"})
}

// accountPage shows who is signed in his own account, and the login to everybody else. What is on it, the page asks for with
// the rights of who looks at it.
func (s *Server) accountPage(c *fiber.Ctx) error {
	token, _ := s.token(c)
	who, _, err := s.o.Identity.Caller(c.UserContext(), token, core.Cause{Kind: "api"}, false)
	if core.KindOf(err) == core.Unknown {
		return c.Redirect("/login?redirect=%2Faccount", fiber.StatusFound)
	}
	if err != nil {
		return core.E("web.accountPage", err)
	}
	buttons, err := s.o.Identity.Buttons(c.UserContext())
	if err != nil {
		return core.E("web.accountPage", err)
	}
	return s.render(c, "account.html", page{Name: who.Name, Providers: buttons, Next: "/account"})
}

// setupPage shows the form that makes the first administrator. The token of the link stays in the browser.
func (s *Server) setupPage(c *fiber.Ctx) error {
	empty, err := s.o.Logins.NeedsSetup(c.UserContext())
	if err != nil {
		return core.E("web.setupPage", err)
	}
	if !empty {
		return c.Redirect("/login", fiber.StatusFound)
	}
	return s.render(c, "setup.html", page{Next: "/"})
}
