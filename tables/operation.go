package tables

import (
	"context"

	"colonnade/core"
)

// operationInput describes a registered operation as an argument.
var operationInput = []core.Column{
	required(text("name", "The name by which clients ask for it (documentId), such as contacts_by_state; one of that name is replaced.")),
	text("doc", "What it is for."),
	{Name: "cache_seconds", Kind: core.Integer, Doc: "How long who asks for it by GET may take the last answer for good, without asking again; 0 when left out."},
	required(core.Column{Name: "document", Kind: core.LongText, Doc: "The GraphQL document, to the byte as clients send it: by that they also ask for it with its hash."}),
}

func (s *Store) putOperation() core.Action {
	doc := "Registers a GraphQL document, or replaces the one of the name. It must be valid, and a later change of the schema that makes it invalid is refused."
	return s.define("put_operation", doc, operationInput, func(in core.Record) (core.Change, error) {
		var o core.Operation
		err := decodeInput(in, &o)
		return core.PutOperation{Put: o}, err
	}, core.Example{In: core.Record{"name": "schema_name", "document": "query SchemaName { __typename }", "cache_seconds": int64(60)}})
}

func (s *Store) dropOperation() core.Action {
	input := []core.Column{required(text("name", "The operation."))}
	return s.define("drop_operation", "Takes an operation from those that are registered.", input, func(in core.Record) (core.Change, error) {
		name, _ := in["name"].(string)
		return core.DropOperation{Name: name}, nil
	}, core.Example{In: core.Record{"name": "schema_name"}})
}

func (s *Store) restrictOperations() core.Action {
	doc := "Says, as an administrator, whether callers may run nothing but registered operations. Who holds the right any_operation may run others all the same."
	input := []core.Column{required(core.Column{Name: "on", Kind: core.Boolean, Doc: "Whether only registered operations run."})}
	return s.define("restrict_operations", doc, input, func(in core.Record) (core.Change, error) {
		on, _ := in["on"].(bool)
		return core.RestrictOperations{On: on}, nil
	}, core.Example{In: core.Record{"on": true}})
}

func (s *Store) listOperations() core.Action {
	fields := append(append([]core.Column{}, operationInput...), required(text("hash", "The SHA-256 of the document, in hexadecimal digits.")))
	return core.Action{
		Name: "list_operations", Privilege: "define_tables", Doc: "Lists the registered operations.",
		Output: []core.Column{
			{Name: "only_registered", Kind: core.Boolean, Required: true, Doc: "Whether nothing else runs: see restrict_operations."},
			{Name: "operations", Kind: core.Object, List: true, Required: true, Fields: fields, Doc: "The operations, by name."},
		},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			snap := s.Snapshot()
			if tx := s.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			list := []any{}
			for _, o := range snap.Schema.Operations() {
				list = append(list, map[string]any{
					"name": o.Name, "doc": orNull(o.Doc), "cache_seconds": int64(o.Cache), "document": o.Document, "hash": core.HashOfDocument(o.Document),
				})
			}
			return core.Record{"only_registered": snap.Schema.OnlyRegistered(), "operations": list}, nil
		},
	}
}

// unrestricted refuses to change what runs at all, unless to administrators: it is a bound on what others can do.
func (c *candidate) unrestricted(caller core.Caller) error {
	if c.next.Schema.OnlyRegistered() == c.from.Schema.OnlyRegistered() || c.from.Policy.Administers(caller) == nil {
		return nil
	}
	return core.E("tables.unrestricted", core.Denied, "whether only registered operations run is for administrators to say: ask one")
}

// operationsFile says whether only registered operations run; without it, what there is stays.
const operationsFile = settingFolder + "operations.yaml"

type operationSettings struct {
	OnlyRegistered bool `json:"only_registered"`
}

func readOperation(f File) (o core.Operation, err error) {
	err = readCalled(f, operationFolder, "operation", &o, &o.Name)
	return o, err
}

func readOperations(f File) (bool, error) {
	var out operationSettings
	m, err := decodeFile(f)
	if err == nil {
		err = strictly(f, m, &out)
	}
	return out.OnlyRegistered, err
}

// exportOperations returns the files of the registered operations, and that of whether others run, where they do not.
func exportOperations(s *core.Schema) (out []File, err error) {
	for _, o := range s.Operations() {
		text, err := encodeFile(o)
		if err != nil {
			return nil, core.E("tables.exportOperations", err)
		}
		out = append(out, File{operationFolder + o.Name + ".yaml", text})
	}
	if !s.OnlyRegistered() {
		return out, nil
	}
	text, err := encodeFile(operationSettings{true})
	return append(out, File{operationsFile, text}), err
}
