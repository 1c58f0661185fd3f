package graphql

import (
	"encoding/json"
	"strings"
	"sync"

	"colonnade/core"
	"colonnade/tables"
)

// A request may name its document in place of sending it: a registered one by its name or its hash, and one that the same user has
// sent before by its hash. The protocol of the latter is Apollo's: a request with an unknown hash is told so, and sent again with the
// text. See https://www.apollographql.com/docs/apollo-server/performance/apq.

// reference is how a request names its document; the zero value is not at all.
type reference struct{ name, hash string }

// hashPrefix is what a documentId begins with that is a hash.
const hashPrefix = "sha256:"

// reference reads how r names its document.
func (r *Request) reference() (reference, *wireError) {
	if name := r.DocumentID; name != "" {
		hash, ok := strings.CutPrefix(name, hashPrefix)
		if !ok {
			return reference{name: name}, nil
		}
		return reference{hash: strings.ToLower(hash)}, nil
	}
	if len(r.Extensions) == 0 {
		return reference{}, nil
	}
	var of struct {
		PersistedQuery *struct {
			Version    json.Number `json:"version"`
			Sha256Hash string      `json:"sha256Hash"`
		} `json:"persistedQuery"`
	}
	if err := json.Unmarshal(r.Extensions, &of); err != nil {
		return reference{}, &wireError{Message: "extensions.persistedQuery is an object of a version and a sha256Hash", Extensions: extensions{Code: "validation-failed", Kind: invalid}}
	}
	switch p := of.PersistedQuery; {
	case p == nil:
		return reference{}, nil
	case p.Version != "1" || p.Sha256Hash == "":
		return reference{}, &wireError{Message: "PersistedQueryNotSupported", Extensions: extensions{Code: "PERSISTED_QUERY_NOT_SUPPORTED", Kind: invalid}}
	default:
		return reference{hash: strings.ToLower(p.Sha256Hash)}, nil
	}
}

// source is where the document of a request comes from.
type source struct {
	registered *core.Operation // nil for one that is not
	keep       string          // the hash under which its sender asks to have it kept; "" for none
	named      bool            // it was named and not sent
}

// resolve puts the text of the document that r names into it. It is the one place where a document gets in, whatever carries the
// request: where only registered operations run, all others are refused here, before anything is learned from them.
func (e *Engine) resolve(snap *tables.Snapshot, caller core.Caller, r *Request) (source, *wireError) {
	ref, problem := r.reference()
	if problem != nil {
		return source{}, problem
	}
	src := source{named: r.Query == ""}
	hash := ref.hash
	if r.Query != "" && (ref != reference{} || snap.Schema.OnlyRegistered()) {
		if hash = core.HashOfDocument(r.Query); ref.hash != "" && ref.hash != hash {
			return source{}, &wireError{Message: "the hash is not that of the document: send the SHA-256 of the query, in hexadecimal digits", Extensions: extensions{Code: "PERSISTED_QUERY_HASH_MISMATCH", Kind: invalid}}
		}
	}
	if ref.name != "" {
		src.registered, _ = snap.Schema.Operation(ref.name)
		if o := src.registered; o != nil && r.Query != "" && o.Document != r.Query {
			return source{}, &wireError{Message: "the document is not the one that is registered by that name: leave the query out", Extensions: extensions{Code: "validation-failed", Kind: invalid}}
		}
	} else if hash != "" {
		src.registered, _ = snap.Schema.OperationByHash(hash)
	}
	switch {
	case src.registered != nil:
		r.Query = src.registered.Document
	case snap.Schema.OnlyRegistered() && snap.Policy.May(caller, "any_operation") != nil:
		return source{}, &wireError{Message: "only registered operations run here, and this is none: ask who defines tables to register it", Extensions: extensions{Code: "permission-error", Kind: core.Denied}}
	case r.Query == "" && ref.name != "":
		return source{}, &wireError{Message: "there is no registered operation of that name", Extensions: extensions{Code: "not-found", Kind: core.NotFound}}
	case r.Query == "" && ref.hash != "":
		text, ok := e.persisted.get(caller, ref.hash)
		if !ok {
			return source{}, &wireError{Message: "PersistedQueryNotFound", Extensions: extensions{Code: "PERSISTED_QUERY_NOT_FOUND", Kind: core.NotFound}}
		}
		r.Query = text
	case r.Query == "":
		return source{}, &wireError{Message: "query is missing: send the document, or name one by documentId or extensions.persistedQuery", Extensions: extensions{Code: "validation-failed", Kind: invalid}}
	case ref.hash != "":
		src.keep = ref.hash
	}
	return src, nil
}

// How many documents are kept that were sent with their hashes: for so many users, those who asked last, and so many bytes of each.
const (
	persistedUsers = 500
	persistedBytes = 128 << 10
)

// persisted keeps documents by their hashes, for each user those that he has sent: nobody can take the room of another's, or learn
// what others send.
type persisted struct {
	mu    sync.Mutex // of finding the documents of a user
	users *cache[core.ID, *cache[string, string]]
}

func newPersisted() *persisted {
	return &persisted{users: newCache[core.ID, *cache[string, string]](persistedUsers)}
}

func (p *persisted) get(c core.Caller, hash string) (string, bool) {
	of, ok := p.users.get(c.User)
	if !ok {
		return "", false
	}
	return of.get(hash)
}

// put keeps a document, the hash of which was compared with its text.
func (p *persisted) put(c core.Caller, hash, text string) {
	p.mu.Lock()
	of, ok := p.users.get(c.User)
	if !ok {
		of = newCache[string, string](persistedBytes)
		p.users.put(c.User, of, 1)
	}
	p.mu.Unlock()
	of.put(hash, text, len(hash)+len(text)+100)
}

// register checks that the registered operations are valid documents of the API.
func (a *api) register() error {
	for _, o := range a.schema.Operations() {
		if _, errs := a.parse(o.Document, registeredLimits, reader{}); errs != nil {
			at := ""
			if len(errs[0].Locations) > 0 {
				l := errs[0].Locations[0]
				at = " (line " + describe(l.Line) + ", column " + describe(l.Column) + ")"
			}
			return core.E("graphql.register", core.Invalid, "operation "+o.Name+": "+strings.TrimSuffix(errs[0].Message, ".")+at+": put or drop the operation in the same change")
		}
	}
	return nil
}

// registeredLimits are those of a document that is registered: the most that anybody can be allowed. Who runs it has limits of his own.
var registeredLimits = func() (l core.Limits) {
	for _, f := range core.LimitFields {
		*f.Of(&l) = f.Most
	}
	return l
}()
