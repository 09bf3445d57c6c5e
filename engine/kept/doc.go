// Package kept is about the requests that an operator keeps to ask again: what
// stands in their file, what each is expected to find, and which of them a
// change of the mesh would send elsewhere.
//
// The file is YAML. All that is left out of a request is as match.Request has it
// by default, and what is left out of expect is not looked at:
//
//	requests:
//	- name: the canary takes one in ten
//	  host: www.example.com
//	  path: /foo
//	  port: 10000
//	  headers: {x-user: "7"}
//	  expect:
//	    action: route
//	    cluster: app=90,app-v2=10
//
// It is pure; the file itself is read and written by package files.
package kept
