package core

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Operation is a GraphQL document that is registered: clients name it in place of sending it, and where nothing else may be sent, it may.
type Operation struct {
	Name     string `json:"name"`
	Doc      string `json:"doc,omitempty"`
	Cache    int    `json:"cache_seconds,omitempty"` // how long who asked by GET may take the last answer for good
	Document string `json:"document"`
}

const (
	maxOperations        = 5000
	maxOperationDocument = 64 << 10
	maxOperationCache    = 24 * 60 * 60
)

// HashOfDocument is how requests name a document: the SHA-256 of its text, in hexadecimal digits.
func HashOfDocument(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func (o Operation) check() error {
	if err := CheckName("operation", o.Name); err != nil {
		return err
	}
	problem := ""
	switch {
	case o.Document == "":
		problem = "there is no document: give the text that clients would send"
	case len(o.Document) > maxOperationDocument:
		problem = fmt.Sprintf("the document has more than %d KB", maxOperationDocument>>10)
	case o.Cache < 0 || o.Cache > maxOperationCache:
		problem = fmt.Sprintf("cache_seconds is 0 to %d", maxOperationCache)
	}
	if problem != "" {
		return E("core.Operation", Invalid, "operation "+o.Name+": "+problem)
	}
	return nil
}

// register checks the operations and finds them by their hashes. They are in the order of their names.
func (s *Schema) register() error {
	const op = "core.NewSchema"
	if len(s.operations) > maxOperations {
		return E(op, Invalid, fmt.Sprintf("there are more than %d operations: drop those that nobody sends", maxOperations))
	}
	s.hashed = make(map[string]*Operation, len(s.operations))
	for i := range s.operations {
		o := &s.operations[i]
		if err := o.check(); err != nil {
			return E(op, err)
		}
		hash := HashOfDocument(o.Document)
		if same, ok := s.hashed[hash]; ok {
			return E(op, Exists, fmt.Sprintf("operation %s: its document is registered as %s already", o.Name, same.Name))
		}
		s.hashed[hash] = o
	}
	return nil
}

// Operations returns the registered operations by name. The slice is shared: do not change it.
func (s *Schema) Operations() []Operation { return s.operations }

// Operation returns the registered operation of that name.
func (s *Schema) Operation(name string) (*Operation, bool) {
	i := slices.IndexFunc(s.operations, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return nil, false
	}
	return &s.operations[i], true
}

// OperationByHash returns the registered operation whose document has that [HashOfDocument].
func (s *Schema) OperationByHash(hash string) (*Operation, bool) {
	o, ok := s.hashed[hash]
	return o, ok
}

// OnlyRegistered reports whether callers may run nothing but registered operations, but for those who hold any_operation.
func (s *Schema) OnlyRegistered() bool { return s.onlyRegistered }

// PutOperation registers an operation, or replaces the one of its name.
type PutOperation struct{ Put Operation }

// Table implements [Change].
func (c PutOperation) Table() string { return "" }

func (c PutOperation) apply(d *draft) error {
	if i := slices.IndexFunc(d.operations, func(o Operation) bool { return o.Name == c.Put.Name }); i >= 0 {
		d.operations[i] = c.Put
	} else {
		d.operations = append(d.operations, c.Put)
	}
	return nil
}

// DropOperation takes an operation from those that are registered.
type DropOperation struct{ Name string }

// Table implements [Change].
func (c DropOperation) Table() string { return "" }

func (c DropOperation) apply(d *draft) error {
	i := slices.IndexFunc(d.operations, func(o Operation) bool { return o.Name == c.Name })
	if i < 0 {
		return E("core.DropOperation", NotFound, fmt.Sprintf("there is no operation %q", c.Name))
	}
	d.operations = slices.Delete(d.operations, i, i+1)
	return nil
}

// RestrictOperations says whether callers may run nothing but registered operations: see [Schema.OnlyRegistered].
type RestrictOperations struct{ On bool }

// Table implements [Change].
func (c RestrictOperations) Table() string { return "" }

func (c RestrictOperations) apply(d *draft) error {
	d.onlyRegistered = c.On
	return nil
}
