package mail

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"colonnade/core"
)

// Options of a [Service].
type Options struct {
	Server string // smtp://user:password@host:587 or smtps://host; "" for none: then every mail is refused
	From   string // whom mails are from, such as Shop <shop@example.com>

	tls *tls.Config // for tests
}

// Service sends mails.
type Service struct {
	from    *netmail.Address
	host    string
	options []gomail.Option
}

// What a mail may hold, and how long a server is waited for.
const (
	maxRecipients = 100
	maxSubject    = 900 // bytes: a line of a header has 998
	maxText       = 1 << 20
	maxTime       = 30 * time.Second
)

// New returns a service. What is wrong with the options is Invalid.
func New(o Options) (*Service, error) {
	const op = "mail.New"
	if o.Server == "" && o.From == "" {
		return &Service{}, nil
	}
	u, err := url.Parse(o.Server)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, core.E(op, core.Invalid, "--smtp takes an address such as smtp://user:password@mail.example.com:587 or smtps://mail.example.com; special characters of the password are written as %40 and the like")
	}
	s := &Service{host: u.Hostname()}
	if s.from, err = netmail.ParseAddress(o.From); err != nil {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("--mail-from takes an address such as Shop <shop@example.com>, not %q", o.From))
	}
	port, way, auth := 587, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.SMTPAuthAutoDiscover
	switch {
	case u.Scheme == "smtps":
		port, way = 465, gomail.WithSSL()
	case o.tls == nil && (s.host == "localhost" || s.host == "127.0.0.1" || s.host == "::1"):
		// Nobody listens on the way, and such servers have no certificate that anybody knows.
		way, auth = gomail.WithTLSPolicy(gomail.NoTLS), gomail.SMTPAuthPlain
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return nil, core.E(op, core.Invalid, "the port of --smtp is no number")
		}
	}
	s.options = []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(maxTime), way}
	if o.tls != nil {
		s.options = append(s.options, gomail.WithTLSConfig(o.tls))
	}
	if password, ok := u.User.Password(); ok {
		s.options = append(s.options, gomail.WithSMTPAuth(auth), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	return s, nil
}

func text(name, doc string) core.Column { return core.Column{Name: name, Kind: core.Text, Doc: doc} }

func need(c core.Column) core.Column {
	c.Required = true
	return c
}

func addresses(name, doc string) core.Column {
	return core.Column{Name: name, Kind: core.Text, List: true, Doc: doc}
}

// Actions returns what can be called.
func (s *Service) Actions() []core.Action {
	return []core.Action{{
		Name: "send_mail",
		Doc: "Sends a mail, by the server and from the address that the operator names. All recipients get it, or none. A step of a flow that is tried again sends it with the same Message-ID, " +
			"by which those who get it twice can tell.",
		Privilege: "send_mails", Alone: true, Sends: core.Sends{Hosts: []string{core.AnyHost}},
		Input: []core.Column{
			need(addresses("to", "To whom: ann@example.org, or Ann Smith <ann@example.org>.")), addresses("cc", "Who else sees it."), addresses("bcc", "Who else gets it, unseen by the others."),
			text("reply_to", "Whom answers go to."), need(text("subject", "What it is about.")), text("text", "What it says."), text("html", "The same in HTML; with text, both are sent."),
		},
		Output: []core.Column{need(text("message_id", "Its Message-ID."))},
		Examples: []core.Example{{In: core.Record{
			"to": []any{"Ann Smith <ann@example.org>"}, "subject": "Your order A-1", "text": "It is on its way.",
		}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			const op = "mail.send_mail"
			if s.from == nil {
				return nil, core.E(op, core.Invalid, "no mail server is named: the operator does so with --smtp and --mail-from")
			}
			m, id, err := s.message(c)
			if err == nil {
				err = s.send(ctx, m)
			}
			if err != nil {
				return nil, core.E(op, err)
			}
			return core.Record{"message_id": id}, nil
		},
	}}
}

func invalid(column, why string) error {
	return core.E("mail.message", core.Invalid, core.At{Column: column}, why)
}

// message makes a mail of what the action was given.
func (s *Service) message(c core.Call) (m *gomail.Msg, id string, err error) {
	m = gomail.NewMsg()
	m.FromMailAddress(s.from)
	count := 0
	for name, add := range map[string]func(...*netmail.Address){"to": m.ToMailAddress, "cc": m.CcMailAddress, "bcc": m.BccMailAddress} {
		list, err := recipients(c, name)
		if err != nil {
			return nil, "", err
		}
		if count += len(list); len(list) > 0 {
			add(list...)
		}
	}
	if count > maxRecipients {
		return nil, "", invalid("to", fmt.Sprintf("a mail goes to %d recipients at most", maxRecipients))
	}
	if to := c.Text("reply_to"); to != "" {
		a, err := netmail.ParseAddress(to)
		if err != nil {
			return nil, "", invalid("reply_to", fmt.Sprintf("%q is no address such as ann@example.org", to))
		}
		m.ReplyToMailAddress(a)
	}
	subject := c.Text("subject")
	if len(subject) > maxSubject || strings.ContainsAny(subject, "\r\n\x00") || !utf8.ValidString(subject) {
		return nil, "", invalid("subject", fmt.Sprintf("a subject is one line of at most %d bytes", maxSubject))
	}
	m.Subject(subject)
	plain, html := c.Text("text"), c.Text("html")
	switch {
	case len(plain)+len(html) > maxText:
		return nil, "", invalid("text", "a mail holds 1 MB at most")
	case plain == "" && html == "":
		return nil, "", invalid("text", "say something, in text or html")
	case plain == "":
		m.SetBodyString(gomail.TypeTextHTML, html)
	default:
		m.SetBodyString(gomail.TypeTextPlain, plain)
		if html != "" {
			m.AddAlternativeString(gomail.TypeTextHTML, html)
		}
	}
	id = s.id(c.Key)
	m.SetMessageIDWithValue(id)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: machines do not answer machines
	return m, "<" + id + ">", nil
}

// id is the Message-ID, the same at each try.
func (s *Service) id(key string) string {
	if key == "" {
		key = string(core.NewID())
	}
	sum := sha256.Sum256([]byte(key)) // an id of a run says when it began, which is nobody's business
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// recipients reads addresses.
func recipients(c core.Call, name string) (out []*netmail.Address, err error) {
	list, _ := c.In[name].([]any)
	if name == "to" && len(list) == 0 {
		return nil, invalid(name, "name who gets the mail")
	}
	for i, v := range list {
		s, _ := v.(string)
		a, err := netmail.ParseAddress(s)
		if err != nil || strings.ContainsAny(a.Name+a.Address, "\r\n\x00") {
			return nil, invalid(name, fmt.Sprintf("address %d, %q, is none such as ann@example.org or Ann Smith <ann@example.org>", i+1, s))
		}
		out = append(out, a)
	}
	return out, nil
}

// send gives the mail to the server.
func (s *Service) send(ctx context.Context, m *gomail.Msg) error {
	const op = "mail.send"
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return core.E(op, err)
	}
	ctx, stop := context.WithTimeout(ctx, maxTime)
	defer stop()
	err = client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() { // whatever went wrong when the connection was closed
		return nil
	}
	var said *textproto.Error
	var sent *gomail.SendError
	var unreached net.Error
	code := 0
	switch {
	case errors.As(err, &sent):
		code = sent.ErrorCode()
	case errors.As(err, &said):
		code = said.Code
	case errors.As(err, &unreached) || ctx.Err() != nil:
		return core.E(op, core.Unavailable, "the mail server cannot be reached, or did not answer in time", err)
	}
	if code >= 500 {
		return core.E(op, core.Failed, fmt.Sprintf("the mail server refused the mail with %d: %s", code, quote(err)))
	}
	return core.E(op, core.Unavailable, fmt.Sprintf("the mail server takes no mail now: %s", quote(err)))
}

// maxQuote is how much of what a server says an error holds, in bytes.
const maxQuote = 300

func quote(err error) string {
	s := err.Error()
	if len(s) > maxQuote {
		s = s[:maxQuote] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
