package core

import (
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// MaxText is how many characters a text has at most, whatever its column says.
const MaxText = 1 << 20

// Format is what the texts of a column are. Such a text is brought into one form when it is written, so that equal
// values are equal texts.
type Format string

// The formats.
const (
	Email Format = "email" // an address without a name, in lower case
	URL   Format = "url"   // an absolute http or https address; scheme and host in lower case
	Phone Format = "phone" // E.164, such as +4930123456

	CurrencyCode Format = "currency" // a code of ISO 4217, such as EUR
)

// formats return the text in the form of the format, or what is wrong with it.
var formats = map[Format]func(c *Column, s string) (string, string){
	Email: formatEmail,
	URL:   formatURL,
	Phone: formatPhone,

	CurrencyCode: formatCurrency,
}

// limits are what check has compiled of the definition of a column. The argument of an action has none.
type limits struct {
	kind       Kind
	info       *KindInfo // of the kind
	characters int
	pattern    *regexp.Regexp // of the whole text
	number     *numbering     // of an autonumber
}

// Unlimited returns the column with its kind, but without the limits that a definition can change: it takes values to
// compare with, and those that were written when the limits were others. A telephone number still takes its form.
func (c *Column) Unlimited() *Column {
	out := *c
	out.limits, out.MinLength, out.MaxLength, out.Min, out.Max, out.Pattern = nil, 0, 0, nil, nil, ""
	if out.Format != Phone {
		out.Format = ""
	}
	return &out
}

// checkText returns s in the form of the column's format, or what is wrong with it.
func (c *Column) checkText(s string) (string, string) {
	if format := formats[c.Format]; format != nil {
		formatted, problem := format(c, s)
		switch {
		case problem == "":
			s = formatted
		case c.limits != nil:
			return "", problem
		}
	}
	most := c.MaxLength
	if c.limits != nil {
		most = c.limits.characters
	}
	if most > 0 && len(s) > most {
		if n := utf8.RuneCountInString(s); n > most {
			return "", fmt.Sprintf("the text has %s, the column takes %d", Count(n, "character"), most)
		}
	}
	if c.MinLength > 0 {
		if n := utf8.RuneCountInString(s); n < c.MinLength {
			return "", fmt.Sprintf("the text has %s, the column takes %d at least", Count(n, "character"), c.MinLength)
		}
	}
	if c.limits != nil && c.limits.pattern != nil && !c.limits.pattern.MatchString(s) {
		if c.Message != "" {
			return "", c.Message
		}
		return "", describe(s) + " does not match the pattern " + c.Pattern
	}
	return s, ""
}

// emailAddress is what browsers take for an address (https://html.spec.whatwg.org/#valid-e-mail-address), with letters
// beyond ASCII as RFC 6531 has them, and a domain of two labels at least.
var emailAddress = regexp.MustCompile(`^[\pL\pN.!#$%&'*+/=?^_{|}~` + "`" + `-]{1,64}@(?:[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?\.)+[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?$`)

// maxEmail and maxURL are in bytes: what RFC 5321 lets a path have, and what every browser keeps.
const (
	maxEmail = 254
	maxURL   = 2048
)

func formatEmail(_ *Column, s string) (string, string) {
	s = strings.TrimSpace(s)
	if len(s) > maxEmail || !emailAddress.MatchString(s) {
		return "", describe(s) + " is no e-mail address: write it like ann@example.com"
	}
	local, _, _ := strings.Cut(s, "@")
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", describe(s) + " is no e-mail address: two points in a row, or one at an end of what is before the @"
	}
	return strings.ToLower(s), "" // no provider of note tells Ann@ from ann@
}

func formatURL(_ *Column, s string) (string, string) {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURL || u.Hostname() == "" || strings.ContainsAny(s, " \t\r\n<>\"") {
		return "", describe(s) + " is no web address: write it like https://example.com/page"
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", "a web address begins with http:// or https://"
	}
	return u.String(), ""
}

func formatPhone(c *Column, s string) (string, string) {
	const example = ": write it with the country, like +49 30 123456"
	if len(s) > 100 { // a number has at most 15 digits
		return "", "the text is too long for a telephone number"
	}
	n, err := phonenumbers.Parse(s, c.Region)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", describe(s) + " is no telephone number" + example
	}
	if n.GetExtension() != "" {
		return "", "a telephone number has no extension here: keep it in a column of its own"
	}
	return phonenumbers.Format(n, phonenumbers.E164), ""
}

// checkNumber returns what is wrong with a number, given as a comparison with a bound and as a text.
func (c *Column) checkNumber(below, above bool, text string) string {
	switch {
	case below:
		return fmt.Sprintf("%s is less than %s, the least that the column takes", text, c.Min)
	case above:
		return fmt.Sprintf("%s is more than %s, the most that the column takes", text, c.Max)
	}
	return ""
}

// maxProgram is how large a pattern may be, as compiled.
const maxProgram = 1000

// compile checks the limits of a definition and prepares them; it returns what is wrong with them.
func (c *Column) compile() string {
	isText := c.Kind == Text || c.Kind == LongText
	l := &limits{kind: c.Kind, info: c.Kind.row(), characters: c.MaxLength}
	if l.characters == 0 {
		l.characters = MaxText
	}
	switch {
	case !isText && (c.MinLength != 0 || c.MaxLength != 0 || c.Pattern != "" || c.Message != ""):
		return "only a text has a minimal length, a maximal length, a pattern and a message"
	case c.MinLength < 0 || c.MaxLength < 0 || l.characters > MaxText || c.MinLength > l.characters:
		return fmt.Sprintf("the lengths of a text are between 0 and %d, and the minimal one is not above the maximal one", MaxText)
	case c.Format != "" && (c.Kind != Text || formats[c.Format] == nil):
		return "the format of a text is one of currency, email, phone, url; other kinds have none"
	case c.Region != "" && (c.Format != Phone || !phonenumbers.GetSupportedRegions()[c.Region]):
		return "the region of a telephone number is a country such as DE; nothing else has one"
	case c.Message != "" && c.Pattern == "":
		return "a message needs a pattern"
	case (c.Min != nil || c.Max != nil) && !slices.Contains([]Kind{Integer, Decimal, Currency, Float}, c.Kind):
		return "only a number has a least and a greatest value"
	case c.Min != nil && c.Max != nil && c.Min.GreaterThan(*c.Max):
		return "the least value is above the greatest one"
	}
	if problem := c.checkNumbering(l); problem != "" {
		return problem
	}
	if c.Pattern != "" {
		var problem string
		if l.pattern, problem = compilePattern(c.Pattern); problem != "" {
			return problem
		}
	}
	c.limits = l
	return ""
}

// compilePattern compiles a regular expression (RE2) that the whole text must match.
func compilePattern(s string) (*regexp.Regexp, string) {
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, "the pattern is no regular expression (RE2): " + err.Error()
	}
	if program, err := syntax.Compile(parsed.Simplify()); err != nil || len(program.Inst) > maxProgram {
		return nil, "the pattern is too large: use smaller repetitions"
	}
	re, err := regexp.Compile(`^(?:` + s + `)$`)
	if err != nil {
		return nil, "the pattern is no regular expression (RE2)"
	}
	return re, ""
}
