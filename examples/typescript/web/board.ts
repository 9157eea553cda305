// The board as the page sees it: all that is sent and received is checked
// against events.ts, which the server wrote.
import { io, type Socket } from "socket.io-client";
import type { Auth, ClientToServerEvents, Draft, Note, ServerToClientEvents } from "./events.js";

export class Board {
  readonly notes = new Map<number, Note>();
  private readonly socket: Socket<ServerToClientEvents, ClientToServerEvents>;

  constructor(url: string, auth: Auth, changed: () => void) {
    this.socket = io(url, { auth });
    this.socket.on("connect", async () => {
      for (const note of await this.socket.emitWithAck("list", {})) {
        this.notes.set(note.id, note);
      }
      changed();
    });
    this.socket.on("posted", (note) => {
      this.notes.set(note.id, note);
      changed();
    });
    this.socket.on("liked", (id, likes) => {
      const note = this.notes.get(id);
      if (note) {
        note.likes = likes;
        changed();
      }
    });
  }

  async post(draft: Draft): Promise<Note> {
    const note = await this.socket.emitWithAck("post", draft);
    this.notes.set(note.id, note);
    return note;
  }

  like(id: number): void {
    this.socket.emit("like", id);
  }

  close(): void {
    this.socket.disconnect();
  }
}
