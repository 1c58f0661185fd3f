package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"

	"colonnade/core"
)

var (
	bomUTF8 = []byte("\xef\xbb\xbf")
	bomLE   = []byte("\xff\xfe")
	bomBE   = []byte("\xfe\xff")
)

// decode returns what r reads as UTF-8 without a byte order mark. The character set is the one that is named, by the names of
// the WHATWG, or the one that the first bytes tell.
func decode(r *bufio.Reader, name string) (io.Reader, error) {
	sample, err := r.Peek(head)
	if err != nil && len(sample) == 0 && !isEnd(err) {
		return nil, core.E("format.decode", err)
	}
	var from encoding.Encoding
	if name != "" {
		if from, err = htmlindex.Get(name); err != nil {
			return nil, core.E("format.decode", core.Invalid, fmt.Sprintf("%q is no character set: use utf-8, utf-16le, utf-16be, windows-1252 or another name of the WHATWG encoding standard", name))
		}
	} else {
		from = detect(sample)
	}
	switch {
	case bytes.HasPrefix(sample, bomUTF8):
		_, err = r.Discard(len(bomUTF8))
	case bytes.HasPrefix(sample, bomLE), bytes.HasPrefix(sample, bomBE):
		_, err = r.Discard(len(bomLE))
	default:
		err = nil
	}
	if err != nil {
		return nil, core.E("format.decode", err)
	}
	if from == nil || from == unicode.UTF8 {
		return r, nil // what is not valid is found in the row that has it
	}
	return from.NewDecoder().Reader(r), nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) }

// detect returns the character set of a sample, nil for UTF-8. Without a mark, UTF-16 shows in the zeros that it puts into
// Latin text; what is neither that nor valid UTF-8 is Windows-1252, in which every byte means something.
func detect(sample []byte) encoding.Encoding {
	le := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	be := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	switch {
	case bytes.HasPrefix(sample, bomUTF8):
		return nil
	case bytes.HasPrefix(sample, bomLE):
		return le
	case bytes.HasPrefix(sample, bomBE):
		return be
	}
	zeros := [2]int{}
	for i, c := range sample {
		if c == 0 {
			zeros[i%2]++
		}
	}
	if half := len(sample) / 2; half > 1 {
		switch {
		case zeros[1] > half*2/5 && zeros[0] < half/10:
			return le
		case zeros[0] > half*2/5 && zeros[1] < half/10:
			return be
		}
	}
	for cut := 0; cut < utf8.UTFMax && cut <= len(sample); cut++ { // the sample may end within a character
		if utf8.Valid(sample[:len(sample)-cut]) {
			return nil
		}
	}
	return charmap.Windows1252
}
