package web

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting is how deep objects and arrays of a body may nest. A JSON column takes 200 levels.
const maxNesting = 256

// member is one name and value of an object; the value is a part of the scanned text.
type member struct {
	name  string
	value []byte
}

// scanObject checks that text is one JSON object and returns its members as they stand. It reads text once, from left
// to right, and stops at the first mistake.
func scanObject(text []byte) ([]member, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		if s.peek() == '[' {
			return nil, errors.New("it is an array; one operation is taken at a time")
		}
		return nil, errors.New("it is none")
	}
	out := make([]member, 0, 4)
	if err := s.object(func(name, value []byte) { out = append(out, member{unquote(name), value}) }); err != nil {
		return nil, err
	}
	if s.space(); s.at < len(text) {
		return nil, s.wrong()
	}
	return out, nil
}

// unquote returns the text of a JSON string that was scanned. Half of a surrogate pair becomes U+FFFD.
func unquote(quoted []byte) string {
	in := quoted[1 : len(quoted)-1]
	at := bytes.IndexByte(in, '\\')
	if at < 0 {
		return string(in)
	}
	out := make([]byte, 0, len(in))
	for ; at >= 0; at = bytes.IndexByte(in, '\\') {
		out = append(out, in[:at]...)
		b := in[at+1]
		in = in[at+2:]
		switch b {
		case 'b':
			b = '\b'
		case 'f':
			b = '\f'
		case 'n':
			b = '\n'
		case 'r':
			b = '\r'
		case 't':
			b = '\t'
		case 'u':
			r := hex4(in)
			in = in[4:]
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if bytes.HasPrefix(in, []byte(`\u`)) {
					pair = utf16.DecodeRune(r, hex4(in[2:]))
				}
				if r = pair; pair != utf8.RuneError {
					in = in[6:]
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, b)
	}
	return string(append(out, in...))
}

func hex4(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // the scanner saw that they are digits
	return rune(n)
}

type scanner struct {
	text  []byte
	at    int
	depth int
}

func (s *scanner) wrong() error {
	if s.at >= len(s.text) {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("it goes wrong at byte %d", s.at+1)
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) value() error {
	switch b := s.peek(); b {
	case '{':
		return s.object(nil)
	case '[':
		return s.list(']', s.value)
	case '"':
		return s.str()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// object scans an object and tells each, when not nil, of every member.
func (s *scanner) object(each func(name, value []byte)) error {
	return s.list('}', func() error {
		from := s.at
		if s.peek() != '"' {
			return s.wrong()
		}
		if err := s.str(); err != nil {
			return err
		}
		name := s.text[from:s.at]
		s.space()
		if s.peek() != ':' {
			return s.wrong()
		}
		s.at++
		s.space()
		from = s.at
		if err := s.value(); err != nil || each == nil {
			return err
		}
		each(name, s.text[from:s.at])
		return nil
	})
}

// list scans from an opening bracket to the closing one.
func (s *scanner) list(closing byte, item func() error) error {
	if s.depth++; s.depth > maxNesting {
		return fmt.Errorf("it nests deeper than %d levels", maxNesting)
	}
	s.at++
	s.space()
	if s.peek() != closing {
		for {
			if err := item(); err != nil {
				return err
			}
			s.space()
			if s.peek() != ',' {
				break
			}
			s.at++
			s.space()
		}
		if s.peek() != closing {
			return s.wrong()
		}
	}
	s.at++
	s.depth--
	return nil
}

func (s *scanner) str() error {
	for s.at++; ; s.at++ {
		rest := s.text[s.at:]
		n := 0
		for n < len(rest) && rest[n] != '"' && rest[n] != '\\' && rest[n] >= ' ' {
			n++
		}
		s.at += n
		switch s.peek() {
		case '"':
			s.at++
			return nil
		case '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			return s.wrong()
		}
	}
}

// escape scans to the last byte of an escape sequence.
func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.at++
			if b := s.peek() | 0x20; !isDigit(s.peek()) && (b < 'a' || b > 'f') {
				return s.wrong()
			}
		}
		return nil
	}
	return s.wrong()
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(w)) {
		return s.wrong()
	}
	s.at += len(w)
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.at++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek()|0x20 == 'e' {
		s.at++
		if b := s.peek(); b == '+' || b == '-' {
			s.at++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) digits() error {
	if !isDigit(s.peek()) {
		return s.wrong()
	}
	for isDigit(s.peek()) {
		s.at++
	}
	return nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
