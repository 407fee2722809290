/** One turn of a conversation, in the form every chat template understands. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}
