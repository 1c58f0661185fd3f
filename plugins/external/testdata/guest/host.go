package main

import "unsafe"

// hostCall hands a request over and returns how long the reply is.
//
//go:wasmimport colonnade call
func hostCall(at unsafe.Pointer, length uint32) uint32

// hostReply has the reply written to memory.
//
//go:wasmimport colonnade reply
func hostReply(at unsafe.Pointer)

func host(request []byte) []byte {
	reply := make([]byte, hostCall(unsafe.Pointer(unsafe.SliceData(request)), uint32(len(request))))
	hostReply(unsafe.Pointer(unsafe.SliceData(reply)))
	return reply
}
