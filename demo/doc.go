// Package demo is the lab behind `meshtui demo`: backends, a steady bounded
// load, and the mesh that leads the one to the other.
//
// The mesh is the one of the talk that meshtui grew from: www.example.com/foo
// goes to app, nine in ten to v1 and one to v2; all else goes to legacy. The
// backends are HTTP servers in this process, each saying who it is, and each
// can be killed, revived, slowed down or made to fail. The load asks the
// listener like any client would and counts who answered, and with what.
//
// Nothing here knows a screen, a control plane or an Envoy: to the load,
// whoever answers on the listener's port is the mesh.
package demo
