// Package flask is the message format of python-socketio 5.15, which is what
// Flask-SocketIO's message_queue speaks, so that Go and Python servers share one
// channel. Each message is a JSON object with a "method":
//
//	emit                    event, data, binary, namespace, room, skip_sid, callback, host_id
//	callback                host_id, sid, namespace, id, args
//	disconnect              sid, namespace, host_id
//	enter_room, leave_room  sid, room, namespace, host_id
//	close_room              room, namespace, host_id
//
// host_id names the sender, which ignores its own messages; in a callback it names
// the receiver. data is the list of the event's arguments; with binary, a list of
// that list, with placeholders, and the attachments in base64. callback is three
// values that the answer repeats as sid, namespace and id.
//
// Python ignores members and methods that it does not know. Ours are:
//
//	cancel      method: namespace, id, host_id. The answers to an emit with that id in callback are not waited for any more.
//	except      rooms that are left out
//	volatile    true: the event may be dropped
//	compress    false: the packet is not to be compressed
//	event_id    in an emit: tells the event from all others
//	argc        1: the only argument is null, which to Python is none
//	bytes       true, beside callback: the answer may have binary, as data has
//	notices     true, beside callback: wants to hear of a client that leaves without an answer
//	timeout     beside callback: for how many milliseconds answers are waited for; 0: until cancel
//	home        beside callback: the host_id of the server that has all the clients in room, which are session ids
//	from        in a callback: the session id of the client that answers
//	left        in a callback, true: the client has left, or was not asked
//	limit       beside left: it was not asked because it owes so many answers
package flask
