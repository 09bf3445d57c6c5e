// Package text turns the YAML of one resource into its Envoy proto and back,
// says where in the text a field stands, and edits single fields of a text
// without touching the rest of it.
//
// Decode reads YAML (and JSON, which is YAML too) the way Envoy does: snake_case
// and camelCase names, lower-case enums, anchors, aliases and merge keys, and
// "@type" for every google.protobuf.Any. It goes through the whole text and
// reports every mistake with line, column and field path. A typed_config whose
// type is not linked into this program is carried as xds.type.v3.TypedStruct,
// with a note that it was not checked.
//
// Set, Insert and Delete splice the text at the places that its YAML nodes
// have. Comments, order, quoting, line endings and indentation elsewhere stay
// byte for byte, and each result is proven before it is returned: it is read again
// and compared with what it is to say, in a list the neighbours of the edit alone.
//
// A Chunk is a value that was cut out of a text; its Source, Edited and Rewritten
// keep the places that its lines have in the file.
//
// Field paths are those of package mesh.
package text
