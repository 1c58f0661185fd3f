package enrich

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Email is a mail address taken apart.
type Email struct {
	Address string // normalised: trimmed, lower case, without a name around it; empty when there is none
	Local   string // before the @
	Domain  string // after it
	Mailbox string // the address that all spellings of one mailbox share: for comparing, not for sending
	Valid   bool   // by syntax; nobody was asked
	Problem string // why not, for a person
	Free    bool   // the domain gives mailboxes to anyone
	Role    bool   // an office, not a person: info@, sales@
}

// Limits of RFC 5321, section 4.5.3.1, in octets.
const (
	maxLocal   = 64
	maxDomain  = 255
	maxAddress = 254 // a path is 256 with its angle brackets
	maxLabel   = 63  // RFC 1035
)

//go:embed data/freemail.txt
var freemailData string

//go:embed data/roles.txt
var rolesData string

var (
	freemail = sync.OnceValue(func() map[string]bool { return setOf(freemailData) })
	roles    = sync.OnceValue(func() map[string]bool { return setOf(rolesData) })
)

// Providers with one domain per country.
var freemailFamilies = map[string]bool{"gmx": true, "hotmail": true, "live": true, "outlook": true, "yahoo": true, "yandex": true}

func setOf(text string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		set[word] = true
	}
	return set
}

// ParseEmail reads a mail address, also one written as "Ann Lee <ann@example.org>" or "mailto:ann@example.org".
//
// Valid means what mail systems accept in practice: RFC 5321's dot-atom or quoted local part, a domain of at least two
// labels; no address literals, no comments. Letters beyond ASCII are taken as RFC 6531 allows; a domain is not
// translated to or from its xn-- form. The local part is lowered, although the standard leaves case to the receiver: no
// provider of note tells a@ from A@.
func ParseEmail(text string) Email {
	text = norm.NFKC.String(strings.TrimSpace(text))
	if open := strings.LastIndexByte(text, '<'); open >= 0 && strings.HasSuffix(text, ">") {
		text = strings.TrimSpace(text[open+1 : len(text)-1])
	}
	if len(text) > len("mailto:") && strings.EqualFold(text[:len("mailto:")], "mailto:") {
		text, _, _ = strings.Cut(text[len("mailto:"):], "?")
	}
	if text == "" {
		return Email{Problem: "empty"}
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return Email{Problem: "no @"}
	}
	e := Email{
		Local:  strings.ToLower(text[:at]),
		Domain: strings.TrimSuffix(strings.ToLower(text[at+1:]), "."),
	}
	e.Address = e.Local + "@" + e.Domain
	if e.Problem = e.check(); e.Problem != "" {
		return e
	}
	e.Valid = true
	first, rest, _ := strings.Cut(e.Domain, ".")
	e.Free = freemail()[e.Domain] || freemailFamilies[first] && strings.Count(rest, ".") <= 1
	base, _, _ := strings.Cut(e.Local, "+")
	e.Role = roles()[base]
	e.Mailbox = e.mailbox()
	return e
}

func (e Email) check() string {
	switch {
	case e.Local == "":
		return "nothing before the @"
	case e.Domain == "":
		return "nothing after the @"
	case !utf8.ValidString(e.Address):
		return "broken characters"
	case len(e.Local) > maxLocal:
		return "the part before the @ is too long"
	case len(e.Domain) > maxDomain || len(e.Address) > maxAddress:
		return "too long"
	}
	if problem := checkLocal(e.Local); problem != "" {
		return problem
	}
	return checkDomain(e.Domain)
}

func checkLocal(local string) string {
	if len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"' {
		return checkQuoted(local[1 : len(local)-1])
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return "a dot at the edge or two in a row before the @"
	}
	for _, r := range local {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		case strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r):
		default:
			return "the sign " + string(r) + " before the @"
		}
	}
	return ""
}

func checkQuoted(text string) string {
	for escaped, i := false, 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "a control character before the @"
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
			if i == len(text)-1 {
				return "an unfinished quotation before the @"
			}
		case c == '"':
			return "a quotation mark before the @"
		}
	}
	return ""
}

func checkDomain(domain string) string {
	if !strings.Contains(domain, ".") {
		return "the domain has no dot"
	}
	label := ""
	for label = range strings.SplitSeq(domain, ".") {
		switch {
		case label == "":
			return "two dots in a row in the domain"
		case len(label) > maxLabel:
			return "a part of the domain is too long"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a part of the domain begins or ends with a hyphen"
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return "the sign " + string(r) + " in the domain"
			}
		}
	}
	if utf8.RuneCountInString(label) < 2 || strings.Trim(label, "0123456789") == "" {
		return "the domain does not end in a top-level domain"
	}
	return ""
}

// mailbox drops what providers ignore: the tag after a plus sign, and at Google the dots and the second domain.
func (e Email) mailbox() string {
	local, domain := e.Local, e.Domain
	if local[0] == '"' {
		return e.Address
	}
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}
