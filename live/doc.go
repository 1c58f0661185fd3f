// Package live keeps answers current: it knows who is subscribed to what, has each answer computed once for all who get the
// same one whenever something that it is made from was written, and hands it to those for whom it is new.
//
// It never knows what an answer means, decides no right, and waits for no subscriber: what is computed for whom is what
// [Subscriber.Prepare] says, and what has to wait for the network waits there.
package live
