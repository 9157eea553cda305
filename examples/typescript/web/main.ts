import { Board } from "./board.js";

const list = document.querySelector<HTMLUListElement>("#notes")!;
const form = document.querySelector<HTMLFormElement>("#post")!;
const text = document.querySelector<HTMLInputElement>("#text")!;

const name = sessionStorage.getItem("name") ?? prompt("Your name?") ?? "anonymous";
sessionStorage.setItem("name", name);
const board = new Board("", { name }, show);

function show(): void {
  const items = [...board.notes.values()].map((note) => {
    const item = document.createElement("li");
    const like = document.createElement("button");
    like.textContent = `♥ ${note.likes ?? 0}`;
    like.onclick = () => board.like(note.id);
    item.append(`${note.author}: ${note.text} `, like);
    return item;
  });
  list.replaceChildren(...items);
}

form.onsubmit = async (event) => {
  event.preventDefault();
  await board.post({ text: text.value });
  text.value = "";
  show();
};
