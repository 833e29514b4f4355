package config

import (
	_ "embed"
	"encoding/json"
	"slices"
)

// The schema is made from the structs, their comments and Default by `go generate`; it also brings the comments into the program.
//
//go:embed ftpd.schema.json
var schema []byte

// Schema is the JSON schema (draft-07) of a configuration file, for editors and other programs. What it refuses, Inspect refuses too; the
// reverse does not hold.
func Schema() []byte { return slices.Clone(schema) }

// A schemaNode is what is read from the schema again.
type schemaNode struct {
	Description string
	Properties  map[string]*schemaNode
	Items       *schemaNode // of a [[table]]
}

// below is what the schema says of the tables or keys in a table or [[table]].
func (n *schemaNode) below() map[string]*schemaNode {
	if n.Items != nil {
		return n.Items.Properties
	}
	return n.Properties
}

// readSchema is the whole schema.
func readSchema() *schemaNode {
	var root schemaNode
	if err := json.Unmarshal(schema, &root); err != nil {
		panic(err) // a test compares it with what is generated
	}
	return &root
}
