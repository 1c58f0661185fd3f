package tables

import (
	"fmt"

	"colonnade/core"
	"colonnade/core/db"
)

// A column of files holds the id of a row of "_file", which never changes. Who may read the column of the record may read that
// row and its content, and nobody else: the table "_file" itself shows its owners what they have uploaded.

// FilePath is where a file is downloaded: FilePath/TABLE/RECORD/COLUMN?id=FILE.
const FilePath = "/data/file"

const filesTable = "_file"

// fileTable describes the rows of uploaded files.
func fileTable() core.Table {
	need := func(name string, k core.Kind, doc string) core.Column {
		return core.Column{Name: name, Kind: k, Required: true, Doc: doc}
	}
	return core.Table{
		Name: filesTable, Label: "File", Doc: "The files that were uploaded.", Ownership: core.UserOwned, Builtin: true,
		Columns: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, System: true, Doc: "What a record names."},
			need("name", core.Text, "The name that the sender gave it."), need("size", core.Integer, "In bytes."),
			need("media_type", core.Text, "Found out from the content."), need("sha256", core.Text, "The hash of the content."),
			{Name: "width", Kind: core.Integer, Doc: "Of an image, in pixels, as people see it."},
			{Name: "height", Kind: core.Integer, Doc: "Of an image, in pixels, as people see it."},
			need("attached", core.Boolean, "Whether a record has ever named it. A file that no record names is deleted after a while."),
			need("created_at", core.Timestamp, "When it was uploaded."),
			{Name: "owner_id", Kind: core.UUID, Required: true, System: true, Doc: "The user who uploaded it."},
			{Name: "unit_id", Kind: core.UUID, Required: true, System: true, Doc: "The business unit of that user."},
		},
	}
}

// FileColumns describes the members of the object that a file is in an answer, with those that it has besides the columns
// of its row.
var FileColumns = []core.Column{
	{Name: "id", Kind: core.UUID, Required: true, Doc: "What another record names to have the same file."},
	{Name: "name", Kind: core.Text, Required: true, Doc: "The name that the sender gave it."},
	{Name: "size", Kind: core.Integer, Required: true, Doc: "In bytes."},
	{Name: "media_type", Kind: core.Text, Required: true, Doc: "Found out from the content."},
	{Name: "sha256", Kind: core.Text, Required: true, Doc: "The hash of the content, in hexadecimal digits."},
	{Name: "width", Kind: core.Integer, Doc: "Of an image, in pixels, as people see it."},
	{Name: "height", Kind: core.Integer, Doc: "Of an image, in pixels, as people see it."},
	{Name: "created_at", Kind: core.Timestamp, Required: true, Doc: "When it was uploaded."},
	{Name: fileURL, Kind: core.Text, Required: true, Doc: "Where it is downloaded, as a path of this server."},
	{Name: fileThumbnail, Kind: core.Text, Doc: "Where its thumbnail is, of a column of images."},
}

const (
	fileURL       = "url"
	fileThumbnail = "thumbnail_url"
)

// FileFilters are the members that conditions compare.
var FileFilters = []string{"id", "name", "size", "media_type", "sha256", "width", "height"}

// file returns the node of the file that the column holds, which every reader of the column may see, and what links it.
func (n *node) file(name string) (to *node, r ref, link writeFunc, err error) {
	if r, err = n.resolve(name); err != nil {
		return nil, r, nil, err
	}
	if !r.column.Kind.Info().File {
		return nil, r, nil, core.E("tables.file", core.Invalid, core.At{Table: n.table.Name, Column: name}, "the column holds no file")
	}
	t, may, err := n.p.snap.decide(core.System("files"), filesTable, core.Read)
	if err != nil {
		return nil, r, nil, err
	}
	to = n.p.alias(t, may)
	return to, r, func(b *db.Builder) {
		b.Name(to.alias, "id").Write(" = ")
		r.write(b)
	}, nil
}

// fieldFile plans a field that shows what is known of a file; null where the caller may not read the column.
func (p *planner) fieldFile(n *node, f *Field, s *selection) error {
	if _, ok := n.table.Column(f.Column); !ok {
		return n.unknown(f.Column)
	}
	if visible, _ := n.may.Column(f.Column); !visible {
		s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
		return nil
	}
	to, r, link, err := n.file(f.Column)
	if err != nil {
		return err
	}
	inner := &selection{
		shape: &db.Shape{Fields: make([]db.ShapeField, 0, len(f.Group))},
		from: func(b *db.Builder) {
			b.Write(" FROM ")
			to.from(b)
			b.Write(" WHERE ")
			link(b)
		},
	}
	for i := range f.Group {
		if err := fileMember(n, to, r.column, &f.Group[i], inner); err != nil {
			return err
		}
	}
	s.add(db.ShapeField{Key: f.As, JSON: true}, inner.nest)
	return nil
}

// fileMember plans one member of a file.
func fileMember(n, to *node, c *core.Column, f *Field, s *selection) error {
	switch {
	case f.Text != "":
		s.add(db.ShapeField{Key: f.As, Text: f.Text}, nil)
	case f.Column == fileThumbnail && c.Kind != core.Image:
		s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
	case f.Column == fileURL || f.Column == fileThumbnail:
		s.add(db.ShapeField{Key: f.As, Kind: core.Text}, func(b *db.Builder) {
			text := func(v string) { b.Write("CAST(").Arg(v).Write(" AS text)") }
			text(FilePath + "/" + n.table.Name + "/")
			b.Write(" || CAST(").Name(n.alias, "id").Write(" AS text) || ")
			text("/" + c.Name + "?id=")
			b.Write(" || CAST(").Name(to.alias, "id").Write(" AS text)")
			if f.Column == fileThumbnail {
				b.Write(" || ")
				text(fmt.Sprintf("&thumbnail=%d", core.Thumbnail))
			}
		})
	default:
		r, err := to.resolve(f.Column)
		if err != nil {
			return err
		}
		s.add(db.ShapeField{Key: f.As, Kind: r.column.Kind}, r.write)
	}
	return nil
}

// holdsFile plans the condition that the column has a file that meets another.
func (n *node) holdsFile(c HasFile) (writeFunc, error) {
	to, _, link, err := n.file(c.Column)
	if err != nil {
		return nil, err
	}
	return to.exists(link, c.Where)
}
