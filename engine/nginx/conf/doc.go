// Package conf reads an nginx.conf, its includes and all, into a tree of
// directives that knows where each of them stands, and how nginx inherits from
// block to block.
//
// It is about the file alone: what a directive means is for package predict
// (what nginx does with a request) and package importer (what Envoy would have
// to be told).
package conf
