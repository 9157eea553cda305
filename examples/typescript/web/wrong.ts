// What the compiler has to refuse: each line below is an error without its
// comment, and the comment is one without the error.
import type { Socket } from "socket.io-client";
import type { Auth, ClientToServerEvents, ServerToClientEvents } from "./events.js";

export function wrong(socket: Socket<ServerToClientEvents, ClientToServerEvents>): void {
  // @ts-expect-error no such event
  socket.emit("publish", { text: "a" });
  // @ts-expect-error the text is missing
  socket.emit("post", {}, () => {});
  // @ts-expect-error an id is a number
  socket.emit("like", "1");
  // @ts-expect-error the acknowledgement is a note
  socket.emit("post", { text: "a" }, (note: string) => note);
  // @ts-expect-error the server never sends this
  socket.on("removed", () => {});
  // @ts-expect-error likes are a number
  socket.on("liked", (id, likes) => likes.toUpperCase());
  // @ts-expect-error it is called name
  const auth: Auth = { user: "ann" };
  void auth;
}
