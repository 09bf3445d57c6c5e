// Package sample makes up a request that a route would take: what stands in
// the tester's form before anybody has typed.
//
// It works from the protos alone and promises nothing: whether the route really
// takes the request, or an earlier one does, is the matcher's to say.
package sample
