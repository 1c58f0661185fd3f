package core

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// numbering is the compiled template of an autonumber: constants, and in braces the number of the sequence, a date, or
// random letters and digits.
type numbering struct {
	parts []numberPart
	match *regexp.Regexp // what the template makes, with the number as its group
}

// numberPart is a constant, or one of the others.
type numberPart struct {
	constant string
	digits   int    // of the number: at least so many, with zeros in front; 0 for no number
	layout   string // of the date, as package time has it
	random   int    // characters
}

// defaultTemplate is the template of an autonumber that has none.
const defaultTemplate = "{SEQ}"

// randomLetters are digits and capital letters without those that look like others (https://www.crockford.com/base32.html).
// There are 32, so that the bits of a random byte choose without a bias.
const randomLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// maxNumber is the length of a number in bytes.
const maxNumber = 100

// dateParts are what a date in a template is made of, with the layouts of package time.
var dateParts = strings.NewReplacer("yyyy", "2006", "yy", "06", "MM", "01", "dd", "02", "HH", "15", "mm", "04", "ss", "05")

var (
	numberToken = regexp.MustCompile(`\{([A-Z]+)(?::([^{}]*))?\}`)
	datePattern = regexp.MustCompile(`^(?:yyyy|yy|MM|dd|HH|mm|ss|[-./_ ])+$`)
)

// compileNumber reads a template, or returns what is wrong with it.
func compileNumber(template string) (*numbering, string) {
	if template == "" {
		template = defaultTemplate
	}
	n := &numbering{}
	var match strings.Builder
	constant := func(s string) string {
		if strings.ContainsAny(s, "{}\x00\n\r\t") {
			return fmt.Sprintf("%q is no part of a number: write {SEQ:5}, {DATE:yyyyMMdd}, {RAND:6} or text without braces", s)
		}
		if s != "" {
			n.parts = append(n.parts, numberPart{constant: s})
			match.WriteString(regexp.QuoteMeta(s))
		}
		return ""
	}
	from, sequences := 0, 0
	for _, at := range numberToken.FindAllStringSubmatchIndex(template, -1) {
		if problem := constant(template[from:at[0]]); problem != "" {
			return nil, problem
		}
		from = at[1]
		argument := ""
		if at[4] >= 0 {
			argument = template[at[4]:at[5]]
		}
		part, pattern, problem := numberPartOf(template[at[2]:at[3]], argument)
		if problem != "" {
			return nil, problem
		}
		if part.digits > 0 {
			sequences++
		}
		n.parts = append(n.parts, part)
		match.WriteString(pattern)
	}
	if problem := constant(template[from:]); problem != "" {
		return nil, problem
	}
	if sequences != 1 || len(template) > maxNumber {
		return nil, "the template of a number has {SEQ} once, so that no two are equal, and at most 100 characters"
	}
	n.match = regexp.MustCompile("^" + match.String() + "$")
	return n, ""
}

func numberPartOf(word, argument string) (part numberPart, pattern, problem string) {
	size, err := strconv.Atoi(argument)
	switch word {
	case "SEQ":
		if argument == "" {
			size, err = 1, nil
		}
		if err != nil || size < 1 || size > 18 {
			return part, "", "{SEQ:5} is a number of at least 5 digits: 1 to 18"
		}
		return numberPart{digits: size}, fmt.Sprintf("([0-9]{%d,19})", size), ""
	case "DATE":
		if !datePattern.MatchString(argument) {
			return part, "", "{DATE:yyyyMMdd} is made of yyyy, yy, MM, dd, HH, mm, ss and - . / _ between them"
		}
		layout := dateParts.Replace(argument)
		digits := regexp.MustCompile(`[0-9]`).ReplaceAllString(regexp.QuoteMeta(layout), "[0-9]")
		return numberPart{layout: layout}, digits, ""
	case "RAND":
		if err != nil || size < 1 || size > 20 {
			return part, "", "{RAND:6} is 6 random letters and digits: 1 to 20"
		}
		return numberPart{random: size}, fmt.Sprintf("[%s]{%d}", randomLetters, size), ""
	}
	return part, "", fmt.Sprintf("there is no {%s} in the template of a number; there are SEQ, DATE and RAND", word)
}

// Number returns the autonumber of the column for a place in the sequence and a moment.
func (c *Column) Number(sequence int64, at time.Time) string {
	var b []byte
	for _, p := range c.limits.number.parts {
		switch {
		case p.digits > 0:
			b = fmt.Appendf(b, "%0*d", p.digits, sequence)
		case p.layout != "":
			b = at.UTC().AppendFormat(b, p.layout)
		case p.random > 0:
			bits := make([]byte, p.random)
			_, _ = rand.Read(bits) // which never fails
			for _, r := range bits {
				b = append(b, randomLetters[r%byte(len(randomLetters))])
			}
		default:
			b = append(b, p.constant...)
		}
	}
	return string(b)
}

// Sequence returns the place in the sequence of an autonumber, and false of a text that the template does not make.
func (c *Column) Sequence(number string) (int64, bool) {
	m := c.limits.number.match.FindStringSubmatch(number)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n, err == nil
}

// Start and Stride are the first number of an autonumber, and what comes between one and the next.
func (c *Column) Start() int64  { return max(c.Seed, 1) }
func (c *Column) Stride() int64 { return max(c.Step, 1) }

// maxSeed is how large a seed or a step may be: what is left lasts for ever.
const maxSeed = 1_000_000_000_000

// checkNumbering checks the definition of an autonumber and prepares it; it returns what is wrong with it.
func (c *Column) checkNumbering(l *limits) (problem string) {
	if c.Kind != Autonumber {
		if c.Template != "" || c.Seed != 0 || c.Step != 0 || c.Gapless {
			return "only an autonumber has a template, a seed, a step and gapless"
		}
		return ""
	}
	if c.Default != "" {
		return "an autonumber has no default: its values come from its sequence"
	}
	if c.Seed < 0 || c.Seed > maxSeed || c.Step < 0 || c.Step > maxSeed {
		return fmt.Sprintf("the seed and the step of an autonumber are between 1 and %d", maxSeed)
	}
	l.number, problem = compileNumber(c.Template)
	return problem
}

func parseNumber(_ *Column, v any) (any, string) {
	s, problem := parseText(&Column{Kind: Text, MaxLength: maxNumber}, v)
	if problem == "" && s == "" {
		return nil, "an autonumber is not empty"
	}
	return s, problem
}
