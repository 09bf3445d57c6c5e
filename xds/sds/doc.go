// Package sds reads the files that the secrets of a mesh name, so that a server
// can serve what is in them, and watches them: a certificate that is renewed on
// disk reaches every Envoy without a push.
//
// A secret is served from its files as a whole or not at all. What is being
// written when it is read does no harm: a certificate that does not fit its key,
// half a file, a file that is gone for a moment leave in place what was read
// before, until the files fit again, and a finding says so. A secret whose files
// cannot be read from here at all is served as the operator wrote it: the Envoy may
// be able to read them, on its own machine.
//
// A relative path means one within the workspace's folder. What was read is held
// in memory alone, and no finding quotes it.
package sds
