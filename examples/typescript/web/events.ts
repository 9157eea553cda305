// Events of a Socket.IO server. Written by github.com/seed-d124fa34/socketio/typescript; do not edit.

export interface Login {
  name: string;
}

export interface Filter {
  tag?: string;
}

export interface Note {
  id: number;
  author: string;
  text: string;
  tags: string[];
  at: string;
  likes?: number;
}

export interface Draft {
  text: string;
  tags?: string[];
}

/** What clients of namespace "/" give as auth when they connect. */
export type Auth = Login;

/** Events that clients of namespace "/" send. */
export interface ClientToServerEvents {
  like: (arg: number) => void;
  list: (arg: Filter, ack: (result: Note[]) => void) => void;
  post: (arg: Draft, ack: (result: Note) => void) => void;
}

/** Events that clients of namespace "/" receive. */
export interface ServerToClientEvents {
  liked: (arg1: number, arg2: number) => void;
  posted: (arg: Note) => void;
}
