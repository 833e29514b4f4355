package config

import (
	_ "embed"
	"encoding/json"
	"slices"
)

// schema is generated from the structs, their comments and Default by `go generate`. It also
// makes the comments available to the program.
//
//go:embed ftpd.schema.json
var schema []byte

// Schema returns the JSON schema (draft-07) of a configuration file, for editors and other
// programs. Inspect refuses every file that the schema refuses, and others as well.
func Schema() []byte { return slices.Clone(schema) }

// A schemaNode is the part of a node of the schema that this package needs.
type schemaNode struct {
	Description string
	Properties  map[string]*schemaNode
	Items       *schemaNode // of a [[table]]
}

// below returns the nodes of the tables and keys in a table or [[table]].
func (n *schemaNode) below() map[string]*schemaNode {
	if n.Items != nil {
		return n.Items.Properties
	}
	return n.Properties
}

// readSchema returns the root node of the schema.
func readSchema() *schemaNode {
	var root schemaNode
	if err := json.Unmarshal(schema, &root); err != nil {
		panic(err) // a test compares the embedded file with the generated schema
	}
	return &root
}
