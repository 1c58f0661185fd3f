package secret

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"colonnade/core"
)

const (
	keyPrefix = "cok_" // so that a key is recognised where it should not be
	keySize   = 32
	again     = time.Second // how often the file is read anew at most
)

// key is one key of a ring.
type key struct {
	id    string // part of a hash of it, which says nothing about it
	bytes [keySize]byte
}

// Keyring holds the keys that envelopes are opened with. The first also seals. A ring without keys opens and seals nothing.
type Keyring struct {
	file string // "" for a ring that was given its keys

	mu   sync.Mutex
	keys []key
	read time.Time
}

// NewKey returns a new key as text.
func NewKey() string {
	b := make([]byte, keySize)
	_, _ = rand.Read(b) // never fails
	return keyPrefix + encoding.EncodeToString(b)
}

// ParseKeyring returns a ring with the keys of a text, which are separated by commas or white space; a line that begins
// with # is a comment.
func ParseKeyring(text string) (*Keyring, error) {
	keys, err := parseKeys([]byte(text))
	if err != nil {
		return nil, core.E("secret.ParseKeyring", err)
	}
	return &Keyring{keys: keys}, nil
}

// ReadKeyring returns a ring with the keys of a file, which only its owner may read, and which must not be in any of the
// folders, since whoever copies those would take it along. An envelope whose key is not in the ring has the file read
// again, so that a key can be added while servers run.
func ReadKeyring(file string, away ...string) (*Keyring, error) {
	const op = "secret.ReadKeyring"
	for _, folder := range away {
		if folder != "" && inside(file, folder) {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("the key file %s lies in the folder %s, whose copies would hold the key beside what it opens: move the file elsewhere", file, folder))
		}
	}
	k := &Keyring{file: file}
	if err := k.load(); err != nil {
		return nil, core.E(op, err)
	}
	return k, nil
}

// inside reports whether the file is in the folder or below, by whatever name.
func inside(file, folder string) bool {
	f, d := real(filepath.Dir(file)), real(folder)
	rel, err := filepath.Rel(d, f)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func real(path string) string {
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	return path
}

func (k *Keyring) load() error {
	const op = "secret.load"
	info, err := os.Stat(k.file)
	if err != nil {
		return core.E(op, core.Invalid, "the key file cannot be read: "+reason(err)+"; colonnade secrets new-key FILE makes one")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return core.E(op, core.Invalid, fmt.Sprintf("others can read the key file %s: chmod 600 %s", k.file, k.file))
	}
	b, err := os.ReadFile(k.file)
	if err != nil {
		return core.E(op, core.Invalid, "the key file cannot be read: "+reason(err))
	}
	keys, err := parseKeys(b)
	if err != nil {
		return core.E(op, err)
	}
	if len(keys) == 0 {
		return core.E(op, core.Invalid, fmt.Sprintf("the key file %s holds no key: colonnade secrets new-key %s adds one", k.file, k.file))
	}
	k.keys, k.read = keys, time.Now()
	return nil
}

// reason returns what is wrong with a file, which the operator named.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}

func parseKeys(text []byte) ([]key, error) {
	var out []key
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
			k, err := parseKey(word)
			if err != nil {
				return nil, core.E("secret.parseKeys", core.Invalid, fmt.Sprintf("key %d is no key: it begins with %s and has 43 characters after that; colonnade secrets new-key makes one", len(out)+1, keyPrefix))
			}
			out = append(out, k)
		}
	}
	return out, lines.Err()
}

func parseKey(word string) (k key, err error) {
	text, ok := strings.CutPrefix(word, keyPrefix)
	b, err := encoding.DecodeString(text)
	if !ok || err != nil || len(b) != keySize {
		return k, errors.New("no key")
	}
	copy(k.bytes[:], b)
	sum := sha256.Sum256(append([]byte("colonnade key id\x00"), b...))
	k.id = hex.EncodeToString(sum[:4])
	return k, nil
}

// Active returns the id of the key that seals, "" when there is none.
func (k *Keyring) Active() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		return ""
	}
	return k.keys[0].id
}

// Holds reports whether the ring has the key of that id.
func (k *Keyring) Holds(id string) bool {
	_, ok := k.find(id)
	return ok
}

// first returns the key that seals.
func (k *Keyring) first() (key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		return key{}, core.E("secret.Seal", core.Unavailable, "this server has no key to seal secrets with: make one with colonnade secrets new-key FILE, and start the server with --secrets-key FILE")
	}
	return k.keys[0], nil
}

// find returns the key of that id, for which it reads the file again.
func (k *Keyring) find(id string) (key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for try := 0; ; try++ {
		for _, have := range k.keys {
			if have.id == id {
				return have, true
			}
		}
		if try > 0 || k.file == "" || time.Since(k.read) < again || k.load() != nil {
			return key{}, false
		}
	}
}

// AddKey makes a key and puts it first into the file, which is made when it is not there. It returns the id of the key.
func AddKey(file string) (string, error) {
	const op = "secret.AddKey"
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", core.E(op, core.Invalid, "the key file cannot be read: "+reason(err))
	}
	if _, err := parseKeys(old); err != nil {
		return "", core.E(op, err)
	}
	text := NewKey()
	k, err := parseKey(text)
	if err != nil {
		return "", core.E(op, err)
	}
	next := fmt.Appendf(nil, "# %s of %s\n%s\n%s", k.id, time.Now().UTC().Format(time.DateOnly), text, old)
	if err := replace(file, next); err != nil {
		return "", core.E(op, core.Invalid, "the key file cannot be written: "+reason(err), err)
	}
	return k.id, nil
}

// replace writes a file that only its owner may read; at any moment the old or the new one is there, whole.
func replace(file string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if bad := f.Close(); err == nil {
		err = bad
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	return err
}
