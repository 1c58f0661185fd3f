package formula

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// Regex is a regular expression in the syntax of RE2 that finds the same in memory and in PostgreSQL, whose own syntax gives other
// meanings to some of the same characters.
type Regex struct {
	re       *regexp.Regexp
	postgres string
}

// What a regular expression may be: what it becomes in PostgreSQL has every character class spelled out.
const (
	maxRegex         = 1000    // in bytes
	maxPostgresRegex = 100_000 // in bytes
)

// ParseRegex reads a regular expression.
func ParseRegex(s string) (*Regex, error) {
	if len(s) > maxRegex {
		return nil, fmt.Errorf("the regular expression has more than %d bytes", maxRegex)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, errors.New("the regular expression is not valid: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if looksAround(tree, false) {
		return nil, errors.New(`\b, \B and the beginnings and ends of lines cannot be repeated: leave them out of what is`)
	}
	var p regexPrinter
	p.print(tree.Simplify())
	if p.Len() > maxPostgresRegex {
		return nil, errors.New("the regular expression is too large: use smaller classes of characters, or repeat less")
	}
	return &Regex{re, "(?:" + p.String() + ")"}, nil
}

// looksAround reports whether something repeats that PostgreSQL has to look around for: a few of them in each other are too complex
// for it.
func looksAround(re *syntax.Regexp, repeats bool) bool {
	switch re.Op {
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpBeginLine, syntax.OpEndLine:
		return repeats
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		repeats = true
	}
	return slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return looksAround(sub, repeats) })
}

// Finds reports whether it finds something in the text.
func (r *Regex) Finds(text string) bool { return r.re.MatchString(text) }

// Postgres returns it as the operator ~ of PostgreSQL takes it.
func (r *Regex) Postgres() string { return r.postgres }

// regexPrinter writes what RE2 has read as an advanced regular expression of PostgreSQL. What is greedy makes no difference to
// whether something is found.
type regexPrinter struct{ strings.Builder }

// The words of RE2 are those of ASCII.
const (
	before = `(?<=[0-9A-Za-z_])`
	behind = `(?=[0-9A-Za-z_])`
	first  = `(?<![0-9A-Za-z_])`
	last   = `(?![0-9A-Za-z_])`
)

var regexWords = map[syntax.Op]string{
	syntax.OpNoMatch:        `(?!.*)`,
	syntax.OpEmptyMatch:     `(?:)`,
	syntax.OpAnyCharNotNL:   `[^\n]`,
	syntax.OpAnyChar:        `.`,
	syntax.OpBeginLine:      `(?:\A|(?<=\n))`,
	syntax.OpEndLine:        `(?:\Z|(?=\n))`,
	syntax.OpBeginText:      `\A`,
	syntax.OpEndText:        `\Z`,
	syntax.OpWordBoundary:   `(?:` + before + last + `|` + first + behind + `)`,
	syntax.OpNoWordBoundary: `(?:` + before + behind + `|` + first + last + `)`,
	syntax.OpStar:           `*`,
	syntax.OpPlus:           `+`,
	syntax.OpQuest:          `?`,
}

func (p *regexPrinter) print(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			p.literal(r, re.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		p.class(re.Rune)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		p.group(re.Sub[0])
		p.WriteString(regexWords[re.Op])
	case syntax.OpCapture:
		p.group(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			p.group(sub)
		}
	case syntax.OpAlternate:
		p.WriteString("(?:")
		for i, sub := range re.Sub {
			if i > 0 {
				p.WriteByte('|')
			}
			p.group(sub)
		}
		p.WriteByte(')')
	default:
		p.WriteString(regexWords[re.Op])
	}
}

func (p *regexPrinter) group(re *syntax.Regexp) {
	p.WriteString("(?:")
	p.print(re)
	p.WriteByte(')')
}

func (p *regexPrinter) literal(r rune, fold bool) {
	all := []rune{r}
	if fold {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			all = append(all, f)
		}
	}
	if len(all) == 1 {
		p.char(r)
		return
	}
	slices.Sort(all)
	p.WriteByte('[')
	for _, r := range all {
		p.char(r)
	}
	p.WriteByte(']')
}

// class writes ranges of characters. No text has the character zero.
func (p *regexPrinter) class(ranges []rune) {
	if len(ranges) == 0 || len(ranges) == 2 && ranges[1] == 0 {
		p.WriteString(regexWords[syntax.OpNoMatch])
		return
	}
	p.WriteByte('[')
	for i := 0; i < len(ranges); i += 2 {
		from, to := max(ranges[i], 1), ranges[i+1]
		if to < from {
			continue
		}
		p.char(from)
		if to > from {
			p.WriteByte('-')
			p.char(to)
		}
	}
	p.WriteByte(']')
}

// char writes a character by its number, unless it is one that never means anything else.
func (p *regexPrinter) char(r rune) {
	switch {
	case r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
		p.WriteRune(r)
	case r <= 0xffff:
		fmt.Fprintf(p, `\u%04x`, r)
	default:
		fmt.Fprintf(p, `\U%08x`, r)
	}
}

// Similar returns the regular expression that finds what SIMILAR TO of SQL matches: % is any text, _ any character, \ takes the next
// as it is, and | * + ? {m,n} ( ) [ ] are those of regular expressions.
func Similar(pattern string) (string, error) {
	var b strings.Builder
	b.WriteString(`\A(?s:`)
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\':
			if i++; i == len(pattern) {
				return "", errors.New(`the pattern ends in a single backslash, which escapes nothing: write \\ for a backslash`)
			}
			n := i + 1
			for n < len(pattern) && pattern[n]&0xc0 == 0x80 { // the rest of a character
				n++
			}
			b.WriteString(regexp.QuoteMeta(pattern[i:n]))
			i = n - 1
		case class:
			class = c != ']'
			if c == '[' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteByte('.')
		case c == '.' || c == '^' || c == '$':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '(':
			b.WriteString("(?:")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(`)\z`)
	return b.String(), nil
}
