package graphql

import (
	gql "github.com/graphql-go/graphql"

	"colonnade/core"
	"colonnade/tables"
)

// A column of files is written as the id of a file and read as an object. No table has such a name.
const (
	storedFile      = "_stored_file"
	storedFileWhere = storedFile + "_bool_exp"
)

// fileTypes are the types of columns of files.
type fileTypes struct {
	object *gql.Object
	where  *gql.InputObject
}

func (b *builder) declareFiles() (err error) {
	owner := "a type of every API"
	if b.file.object, err = b.outputObject(owner, storedFile, tables.FileColumns); err != nil {
		return err
	}
	if err := claim(b.names, "type", owner, core.At{}, storedFileWhere); err != nil {
		return err
	}
	fields := gql.InputObjectConfigFieldMap{
		isNull: {Type: gql.Boolean, Description: "Without a file (true), or with one (false)."},
	}
	for _, name := range tables.FileFilters {
		for i := range tables.FileColumns {
			if c := &tables.FileColumns[i]; c.Name == name {
				fields[name] = &gql.InputObjectFieldConfig{Type: b.compares[comparedType(c.Kind.Info())], Description: c.Doc}
			}
		}
	}
	b.file.where = gql.NewInputObject(gql.InputObjectConfig{Name: storedFileWhere, Fields: fields, Description: "Conditions on a file: all of them must hold."})
	return nil
}

const isNull = "_is_null"

// selectFile takes over what is asked of a file.
func (c *compiler) selectFile(to *tables.Field, column *core.Column, of *selected) error {
	fields, err := c.collect(of.sets)
	if err != nil {
		return err
	}
	to.Column, to.Group = column.Name, make([]tables.Field, len(fields))
	for i, s := range fields {
		to.Group[i] = tables.Field{As: s.key, Column: s.name}
		if s.name == typename {
			to.Group[i] = tables.Field{As: s.key, Text: storedFile}
		}
	}
	return nil
}

// files is a condition on the file of a column.
func (c *compiler) files(column string, o object) (tables.Cond, error) {
	all, of := tables.And{}, tables.And{}
	for _, m := range o {
		if m.value == nil {
			return nil, within("."+m.name, wrong("null is no condition: leave the field out"))
		}
		if m.name == isNull {
			if err := c.countTerm(); err != nil {
				return nil, err
			}
			all = append(all, tables.Compare{Column: column, Op: tables.IsNull, Value: m.value})
			continue
		}
		one, err := c.comparisons(m.name, m.value.(object))
		if err != nil {
			return nil, within("."+m.name, err)
		}
		of = append(of, one)
	}
	if len(of) > 0 {
		all = append(all, tables.HasFile{Column: column, Where: of})
	}
	return all, nil
}
