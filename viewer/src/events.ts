// Who listens to what the page knows, and what it says in its status line.

export type Topic = "image" | "instances" | "outlines" | "measures" | "selection" | "hover" | "tool" | "message" | "view" | "loading" | "list";

export class Teller {
  message = { text: "", bad: false };

  private readonly listeners = new Map<Topic, (() => void)[]>();

  on(topics: Topic[], listener: () => void): void {
    for (const topic of topics) this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
  }

  tell(topic: Topic): void {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  say(text: string, bad = false): void {
    this.message = { text, bad };
    this.tell("message");
  }
}
