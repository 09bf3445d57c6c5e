// Package plan works out the way from one mesh to another on which no request
// is lost: make before break, step by step, each step to be answered by the node
// before the next begins.
//
// Everything in it is a pure function of meshes and of what is in flight to a
// node; it knows no stream. Package xds carries plans out.
package plan
